//! Moments and terms. The clock is always an argument; nothing here asks the host for it.

use super::rule::{Refusal, Result};
use super::rules;
use super::text::visible;
use jiff::civil::{DateTime, datetime};
use jiff::{SignedDuration, Span};
use std::fmt;
use std::str::FromStr;

/// A moment in UTC, whole seconds, shown as `2026-11-22T13:00:00Z` (TUF 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

const EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);
/// In seconds.
const DAY: i64 = 86_400;
const FORM: &str = "%Y-%m-%dT%H:%M:%S";

/// How a date that others wrote departs from TUF's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DateForm {
    /// `YYYY-MM-DDTHH:MM:SSZ`
    Strict,
    /// RFC 3339 with an offset, a fraction of a second, or both; Go's `time.Time` writes these.
    Lenient,
}

impl Time {
    /// The moment `seconds` after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// `DATE` outside the years 1970 to 9999.
    pub fn from_unix(seconds: i64) -> Result<Self> {
        match civil(seconds) {
            Some(_) if seconds >= 0 => Ok(Self(seconds)),
            _ => Err(Refusal::new(&rules::DATE, format!("{seconds} seconds"), "a moment from 1970 to 9999")),
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// Reads a date as real writers have it: TUF's form, or RFC 3339 with offset and fraction.
    /// A fraction is dropped, which only ever makes an expiry earlier.
    ///
    /// # Errors
    ///
    /// `DATE` if it is neither; lower-case `t` or `z` and a space are neither.
    pub fn parse_lenient(text: &str) -> Result<(Self, DateForm)> {
        if let Ok(time) = text.parse() {
            return Ok((time, DateForm::Strict));
        }
        let seconds = rfc3339(text).ok_or_else(|| bad_date(text))?;
        Ok((Self::from_unix(seconds).map_err(|_| bad_date(text))?, DateForm::Lenient))
    }

    /// This moment plus a term, by the calendar: a month or a year later is the same day, or the
    /// month's last.
    ///
    /// # Errors
    ///
    /// `DATE` beyond the year 9999.
    pub fn plus(self, term: Term) -> Result<Self> {
        self.shifted(term, false)
    }

    /// This moment less a term, by the calendar.
    ///
    /// # Errors
    ///
    /// `DATE` before 1970.
    pub fn minus(self, term: Term) -> Result<Self> {
        self.shifted(term, true)
    }

    fn shifted(self, term: Term, back: bool) -> Result<Self> {
        let n = i64::from(term.count);
        let n = if back { n.saturating_neg() } else { n };
        // A span's own bounds are narrower than what a term can say ("65535 years").
        let span = match term.unit {
            Unit::Hours => Span::new().try_hours(n),
            Unit::Days => Span::new().try_days(n),
            Unit::Weeks => Span::new().try_weeks(n),
            Unit::Months => Span::new().try_months(n),
            Unit::Years => Span::new().try_years(n),
        };
        let moved = civil(self.0).and_then(|t| t.checked_add(span.ok()?).ok());
        moved.and_then(|t| Self::from_unix(unix(t)).ok()).ok_or_else(|| {
            Refusal::new(&rules::DATE, format!("{term} from {self}"), "a moment from 1970 to 9999")
        })
    }

    /// This moment so many months later as Go's `AddDate` counts, by which the stock Notary client
    /// looks ahead: a day that the month doesn't have is one of the next month.
    ///
    /// # Errors
    ///
    /// `DATE` beyond the year 9999.
    pub fn plus_months_of_go(self, months: u16) -> Result<Self> {
        let moved = civil(self.0).and_then(|t| {
            let first = t.with().day(1).build().ok()?;
            let later = first.checked_add(Span::new().try_months(i64::from(months)).ok()?).ok()?;
            let days = i64::from(t.day()).saturating_sub(1);
            later.checked_add(Span::new().try_days(days).ok()?).ok()
        });
        moved.and_then(|t| Self::from_unix(unix(t)).ok()).ok_or_else(|| {
            let found = format!("{} from {self}", Term::new(months, Unit::Months));
            Refusal::new(&rules::DATE, found, "a moment from 1970 to 9999")
        })
    }

    /// The beginning of the first day on which [`Self::plus_months_of_go`] comes as far as this moment.
    ///
    /// That is up to three days before the calendar's own: by Go, six months after August 30 and 31 it
    /// is March already.
    ///
    /// # Errors
    ///
    /// `DATE` before 1970.
    pub fn minus_months_of_go(self, months: u16) -> Result<Self> {
        let day = |t: Self| t.0.div_euclid(DAY);
        let near = self.minus(Term::new(months, Unit::Months))?;
        let days = (-3..=1).map(|days| Self(day(near).saturating_add(days).saturating_mul(DAY)));
        let comes = |from: &Self| from.plus_months_of_go(months).is_ok_and(|to| day(to) >= day(self));
        let first = days.into_iter().find(comes).unwrap_or(near);
        Self::from_unix(first.0)
    }

    /// Whole days from `now` until this moment, rounded down; negative once it has passed.
    pub fn days_after(self, now: Self) -> i64 {
        self.0.saturating_sub(now.0).div_euclid(DAY)
    }

    /// The year, for names that people give things.
    pub fn year(self) -> i16 {
        civil(self.0).map_or(1970, DateTime::year)
    }

    /// The calendar date alone: `2026-11-22`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

/// The calendar's view. Not a `Timestamp`, which ends a day before the year 9999 does.
fn civil(seconds: i64) -> Option<DateTime> {
    EPOCH.checked_add(SignedDuration::from_secs(seconds)).ok()
}

fn unix(moment: DateTime) -> i64 {
    moment.duration_since(EPOCH).as_secs()
}

/// Seconds since 1970 of a date in the shape that Go reads. The library's own parser would also
/// take a comma, short offsets and a 61st second.
fn rfc3339(text: &str) -> Option<i64> {
    let (moment, rest) = text.split_at_checked(19)?;
    let moment = moment.parse::<DateTime>().ok().filter(|m| m.strftime(FORM).to_string() == moment)?;
    let (fraction, zone) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let plain = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|d| (1..=9).contains(&d.len()) && digits(d));
    let offset = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, zone) => {
            let (hours, minutes) = zone.split_once(':')?;
            let part = |t: &str, most: i64| {
                let n = t.parse::<i64>().ok()?;
                (t.len() == 2 && digits(t) && n <= most).then_some(n)
            };
            let ahead =
                part(hours, 23)?.saturating_mul(60).saturating_add(part(minutes, 59)?).saturating_mul(60);
            if sign == "-" { ahead.saturating_neg() } else { ahead }
        }
    };
    plain.then(|| unix(moment).saturating_sub(offset))
}

fn bad_date(text: &str) -> Refusal {
    Refusal::new(&rules::DATE, format!("\"{}\"", visible(text)), "a date as 2026-11-22T13:00:00Z")
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match civil(self.0) {
            Some(t) => write!(f, "{}Z", t.strftime(FORM)),
            None => write!(f, "@{}", self.0),
        }
    }
}

impl FromStr for Time {
    type Err = Refusal;

    /// Reads TUF's form and no other.
    fn from_str(text: &str) -> Result<Self> {
        let moment = text.strip_suffix('Z').and_then(|t| t.parse::<DateTime>().ok());
        let time = moment.and_then(|m| Self::from_unix(unix(m)).ok());
        time.filter(|t| t.to_string() == text).ok_or_else(|| bad_date(text))
    }
}

/// A duration that a runbook or limits state: `2 years`, `90 days`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    count: u16,
    unit: Unit,
}

/// The unit of a [`Term`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 60 minutes
    Hours,
    /// 24 hours
    Days,
    /// 7 days
    Weeks,
    /// A calendar month
    Months,
    /// A calendar year
    Years,
}

impl Term {
    /// `count` of `unit`.
    pub const fn new(count: u16, unit: Unit) -> Self {
        Self { count, unit }
    }

    /// Roughly how many days this is, to compare two terms.
    pub fn days(self) -> u32 {
        let n = u32::from(self.count);
        match self.unit {
            Unit::Hours => n.div_euclid(24),
            Unit::Days => n,
            Unit::Weeks => n.saturating_mul(7),
            Unit::Months => n.saturating_mul(61).div_euclid(2),
            Unit::Years => n.saturating_mul(1461).div_euclid(4),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Hours => "hour",
            Unit::Days => "day",
            Unit::Weeks => "week",
            Unit::Months => "month",
            Unit::Years => "year",
        };
        write!(f, "{} {unit}{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

impl FromStr for Term {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            Refusal::new(
                &rules::TERM,
                format!("\"{}\"", visible(text)),
                "a whole number and a unit, as \"2 years\" or \"90 days\"",
            )
        };
        let (count, unit) = text.split_once(' ').ok_or_else(refuse)?;
        let unit = match unit {
            "hour" | "hours" => Unit::Hours,
            "day" | "days" => Unit::Days,
            "week" | "weeks" => Unit::Weeks,
            "month" | "months" => Unit::Months,
            "year" | "years" => Unit::Years,
            _ => return Err(refuse()),
        };
        match count.parse::<u16>() {
            Ok(count) if count > 0 && !text.starts_with('+') => Ok(Self { count, unit }),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn date_forms() {
        // Text, and what the strict and the lenient reader make of it.
        let table = [
            ("2026-11-22T13:00:00Z", Some("2026-11-22T13:00:00Z"), true),
            ("2036-11-19T06:39:52.910804407-05:00", Some("2036-11-19T11:39:52Z"), false),
            ("2026-11-22T13:00:00+02:00", Some("2026-11-22T11:00:00Z"), false),
            ("2026-11-22T13:00:00.5Z", Some("2026-11-22T13:00:00Z"), false),
            ("2026-11-22T13:00:00+00:00", Some("2026-11-22T13:00:00Z"), false),
            ("2026-11-22t13:00:00Z", None, false),
            ("2026-11-22T13:00:00z", None, false),
            ("2026-11-22 13:00:00Z", None, false),
            ("2026-11-22T13:00:00", None, false),
            ("2026-11-22T13:00Z", None, false),
            ("2026-11-22T13:00:60Z", None, false),
            ("2026-11-22T13:00:00,5Z", None, false),
            ("2026-11-22T13:00:00.Z", None, false),
            ("2026-11-22T13:00:00.1234567890Z", None, false),
            ("2026-11-22T13:00:00+02", None, false),
            ("2026-11-22T13:00:00Z[UTC]", None, false),
            ("2026-11-22T24:00:00Z", None, false),
            ("2026-02-29T00:00:00Z", None, false),
            ("2028-02-29T00:00:00Z", Some("2028-02-29T00:00:00Z"), true),
            ("1969-12-31T23:59:59Z", None, false),
            ("1969-12-31T23:59:59.5Z", None, false),
            ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00Z"), true),
            ("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z"), true),
            ("+002026-11-22T13:00:00Z", None, false),
            ("20261122T130000Z", None, false),
            ("", None, false),
            ("\u{202e}", None, false),
        ];
        for (text, expected, strict) in table {
            let lenient = Time::parse_lenient(text);
            assert_eq!(lenient.as_ref().map(|(t, _)| t.to_string()).ok().as_deref(), expected, "{text}");
            assert_eq!(text.parse::<Time>().is_ok(), strict, "{text}");
            match lenient {
                Ok((_, form)) => assert_eq!(form == DateForm::Strict, strict, "{text}"),
                Err(e) => assert_eq!(e.rule().name, "DATE", "{text}"),
            }
        }
    }

    #[test]
    fn months_of_go_run_over_into_the_next() {
        let table = [
            ("2026-11-22T13:00:00Z", "2027-05-22T13:00:00Z"),
            ("2026-08-28T00:00:00Z", "2027-02-28T00:00:00Z"),
            ("2026-08-31T23:59:59Z", "2027-03-03T23:59:59Z"),
            ("2027-08-31T00:00:00Z", "2028-03-02T00:00:00Z"),
            ("2026-12-31T00:00:00Z", "2027-07-01T00:00:00Z"),
        ];
        for (from, to) in table {
            let from: Time = from.parse().unwrap();
            assert_eq!(from.plus_months_of_go(6).unwrap().to_string(), to, "{from}");
        }
        let last: Time = "9999-12-31T00:00:00Z".parse().unwrap();
        assert_eq!(last.plus_months_of_go(6).unwrap_err().rule().name, "DATE");
    }

    #[test]
    fn the_first_day_on_which_months_of_go_come_so_far() {
        let table = [
            ("2027-05-22T13:00:00Z", "2026-11-22"),
            ("2027-03-01T00:00:00Z", "2026-08-29"),
            ("2027-03-02T23:59:59Z", "2026-08-30"),
            ("2027-03-03T12:00:00Z", "2026-08-31"),
            ("2027-03-04T12:00:00Z", "2026-09-04"),
            ("2028-03-01T12:00:00Z", "2027-08-30"),
            ("2027-07-01T12:00:00Z", "2026-12-31"),
            ("2027-08-31T12:00:00Z", "2027-03-01"),
        ];
        for (end, first) in table {
            let end: Time = end.parse().unwrap();
            assert_eq!(end.minus_months_of_go(6).unwrap().to_string(), format!("{first}T00:00:00Z"), "{end}");
        }
        // Day by day through a leap year and three others, for any number of months.
        let begin: Time = "2026-01-01T12:00:00Z".parse().unwrap();
        for (day, months) in (0..1_461).flat_map(|day| [(day, 1), (day, 6), (day, 13)]) {
            let end = Time(begin.0 + day * DAY);
            let first = end.minus_months_of_go(months).unwrap();
            let comes = |second: i64| Time(second).plus_months_of_go(months).unwrap() >= end;
            assert!(comes(first.0 + DAY - 1), "{end} less {months}: {first}");
            assert!((1..40).all(|before| !comes(first.0 - before * DAY + DAY - 1)), "{end} less {months}");
        }
        let first: Time = "1970-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(first.minus_months_of_go(6).unwrap_err().rule().name, "DATE");
        let first: Time = "1970-07-02T00:00:00Z".parse().unwrap();
        assert_eq!(first.minus_months_of_go(6).unwrap().to_string(), "1970-01-02T00:00:00Z");
    }

    #[test]
    fn terms_follow_the_calendar() {
        let table = [
            ("2026-11-22T13:00:00Z", "2 years", "2028-11-22T13:00:00Z"),
            ("2028-02-29T00:00:00Z", "1 year", "2029-02-28T00:00:00Z"),
            ("2026-01-31T00:00:00Z", "1 month", "2026-02-28T00:00:00Z"),
            ("2026-12-31T23:00:00Z", "2 hours", "2027-01-01T01:00:00Z"),
            ("2026-11-22T13:00:00Z", "90 days", "2027-02-20T13:00:00Z"),
            ("2026-11-22T13:00:00Z", "3 weeks", "2026-12-13T13:00:00Z"),
        ];
        for (from, term, to) in table {
            let from: Time = from.parse().unwrap();
            assert_eq!(from.plus(term.parse().unwrap()).unwrap().to_string(), to, "{from} + {term}");
        }
        let first: Time = "1970-01-01T00:00:00Z".parse().unwrap();
        let last: Time = "9999-12-31T23:59:59Z".parse().unwrap();
        let hour = Term::new(1, Unit::Hours);
        assert_eq!(first.minus(hour).unwrap_err().rule().name, "DATE");
        assert_eq!(last.plus(hour).unwrap_err().rule().name, "DATE");
        assert_eq!(Time::from_unix(-1).unwrap_err().rule().name, "DATE");
        assert_eq!(Time::from_unix(i64::MAX).unwrap_err().rule().name, "DATE");
        assert_eq!((last.year(), last.date().as_str()), (9999, "9999-12-31"));
    }

    #[test]
    fn term_forms() {
        for text in ["2 years", "1 year", "90 days", "36 hours", "1 week", "18 months"] {
            assert_eq!(text.parse::<Term>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2",
            "years",
            "2years",
            "0 days",
            "-1 days",
            "+1 days",
            "1.5 years",
            "70000 days",
            "2  years",
            "2 Years",
            "2 years ",
        ] {
            assert_eq!(text.parse::<Term>().unwrap_err().rule().name, "TERM", "{text}");
        }
        let days = |text: &str| text.parse::<Term>().unwrap().days();
        assert!(days("2 years") > days("23 months") && days("1 month") > days("4 weeks"));
    }

    #[test]
    fn days_are_rounded_down() {
        let now: Time = "2026-11-22T13:00:00Z".parse().unwrap();
        let days = |text: &str| text.parse::<Time>().unwrap().days_after(now);
        assert_eq!(days("2026-11-23T12:59:59Z"), 0);
        assert_eq!(days("2026-11-23T13:00:00Z"), 1);
        assert_eq!(days("2026-11-22T12:59:59Z"), -1);
    }

    proptest! {
        #[test]
        fn every_moment_reads_back(seconds in 0i64..253_402_300_800) {
            let time = Time::from_unix(seconds).unwrap();
            prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
            prop_assert_eq!(Time::parse_lenient(&time.to_string()).unwrap(), (time, DateForm::Strict));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Time::parse_lenient(&text);
            let _ = text.parse::<Term>();
        }
    }
}
