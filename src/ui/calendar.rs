//! Appointments for other people's calendars: an iCalendar file (RFC 5545).
//!
//! Whole days with alarms. An appointment's name stays the same from one file to the next, so a
//! newer file moves what an older one brought instead of doubling it.

use super::screen::Safe;
use crate::tuf::time::Time;
use std::fmt::Write as _;

/// The longest line, in octets, without its end (RFC 5545, 3.1).
const LINE: usize = 75;

/// One whole day.
#[derive(Debug, Clone)]
pub struct Appointment {
    /// Its name, the same in every file; letters, digits, `-`, `.` and `@`.
    pub uid: String,
    /// The day, in UTC.
    pub day: Time,
    /// Grows when the day moves.
    pub sequence: i64,
    /// One line.
    pub title: Safe,
    /// More lines.
    pub text: Vec<Safe>,
    /// Days before it on which to remind; 0 is the day itself.
    pub alarms: Vec<u16>,
}

/// The file. `stamp` is when it was made.
pub fn ics(name: &Safe, stamp: Time, appointments: &[Appointment]) -> String {
    let mut file = File(String::new());
    file.line("BEGIN:VCALENDAR");
    file.line("VERSION:2.0");
    file.line("PRODID:-//keyrite//status//EN");
    file.line("CALSCALE:GREGORIAN");
    file.line(&format!("X-WR-CALNAME:{}", escaped(name)));
    for appointment in appointments {
        file.event(stamp, appointment);
    }
    file.line("END:VCALENDAR");
    file.0
}

struct File(String);

impl File {
    fn event(&mut self, stamp: Time, appointment: &Appointment) {
        let title = escaped(&appointment.title);
        self.line("BEGIN:VEVENT");
        self.line(&format!("UID:{}", appointment.uid));
        self.line(&format!("DTSTAMP:{}", plain(&stamp.to_string())));
        self.line(&format!("SEQUENCE:{}", appointment.sequence));
        // Without an end it takes the one day (RFC 5545, 3.6.1).
        self.line(&format!("DTSTART;VALUE=DATE:{}", plain(&appointment.day.date())));
        self.line(&format!("SUMMARY:{title}"));
        let text: Vec<String> = appointment.text.iter().map(escaped).collect();
        self.line(&format!("DESCRIPTION:{}", text.join("\\n")));
        self.line("TRANSP:TRANSPARENT");
        for days in &appointment.alarms {
            self.line("BEGIN:VALARM");
            self.line("ACTION:DISPLAY");
            self.line(&format!("DESCRIPTION:{title}"));
            let trigger = if *days == 0 { "PT0S".to_owned() } else { format!("-P{days}D") };
            self.line(&format!("TRIGGER:{trigger}"));
            self.line("END:VALARM");
        }
        self.line("END:VEVENT");
    }

    /// A content line, folded between letters, ended by CR and LF.
    fn line(&mut self, text: &str) {
        let mut width = 0usize;
        for c in text.chars() {
            if width.saturating_add(c.len_utf8()) > LINE {
                self.0.push_str("\r\n ");
                width = 1;
            }
            self.0.push(c);
            width = width.saturating_add(c.len_utf8());
        }
        let _ = write!(self.0, "\r\n");
    }
}

/// `2026-11-22T13:00:00Z` as `20261122T130000Z`.
fn plain(time: &str) -> String {
    time.chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

/// Text as a value (RFC 5545, 3.3.11); controls are visible in it already.
fn escaped(text: &Safe) -> String {
    let mut out = String::new();
    for c in text.as_str().chars() {
        if matches!(c, '\\' | ';' | ',') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn one(title: &str) -> String {
        let appointment = Appointment {
            uid: "root-renew.0f5c@keyrite".to_owned(),
            day: "2028-02-22T10:00:00Z".parse().unwrap(),
            sequence: 21_236,
            title: Safe::untrusted(title),
            text: vec![Safe::from("first, second; third"), Safe::from("last")],
            alarms: vec![14, 0],
        };
        ics(&Safe::from("keys"), "2026-11-22T13:00:00Z".parse().unwrap(), &[appointment])
    }

    #[test]
    fn an_appointment_is_a_whole_day_with_alarms() {
        assert_eq!(
            one("renew root"),
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//keyrite//status//EN\r\nCALSCALE:GREGORIAN\r\n\
             X-WR-CALNAME:keys\r\nBEGIN:VEVENT\r\nUID:root-renew.0f5c@keyrite\r\nDTSTAMP:20261122T130000Z\r\n\
             SEQUENCE:21236\r\nDTSTART;VALUE=DATE:20280222\r\nSUMMARY:renew root\r\n\
             DESCRIPTION:first\\, second\\; third\\nlast\r\nTRANSP:TRANSPARENT\r\n\
             BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:renew root\r\nTRIGGER:-P14D\r\nEND:VALARM\r\n\
             BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:renew root\r\nTRIGGER:PT0S\r\nEND:VALARM\r\n\
             END:VEVENT\r\nEND:VCALENDAR\r\n"
        );
    }

    #[test]
    fn long_lines_are_folded_between_letters_and_nothing_breaks_out() {
        let title = format!("{}\r\nEND:VEVENT\r\n\u{202e},;\\", "\u{4e2d}\u{fc}x ".repeat(60));
        let file = one(&title);
        for line in file.split("\r\n") {
            assert!(line.len() <= LINE, "{} octets: {line}", line.len());
            assert!(!line.contains(['\r', '\n']), "{line:?}");
        }
        assert_eq!(file.matches("\r\nEND:VEVENT").count(), 1);
        let unfolded = file.replace("\r\n ", "");
        assert!(unfolded.contains("\\\\u{d}\\\\u{a}END:VEVENT"), "{unfolded}");
        assert!(unfolded.contains("\\\\u{202e}\\,\\;\\\\u{5c}"), "{unfolded}");
    }
}
