//! Moments and terms. The clock is always an argument; nothing here asks the host for it.

use super::rule::{Refusal, Result};
use super::rules;
use super::text::visible;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use std::fmt;
use std::str::FromStr;

/// A moment in UTC, whole seconds, shown as `2026-11-22T13:00:00Z` (TUF 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

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
        match Timestamp::from_second(seconds) {
            Ok(t) if seconds >= 0 && year(t) <= 9999 => Ok(Self(seconds)),
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
        let shaped = text.len() <= 40
            && text.is_ascii()
            && text.as_bytes().get(10) == Some(&b'T')
            && !text.contains(['t', 'z', ' ', '[']);
        match text.parse::<Timestamp>() {
            Ok(t) if shaped => Ok((Self::from_unix(t.as_second())?, DateForm::Lenient)),
            _ => Err(bad_date(text)),
        }
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
        let span = match term.unit {
            Unit::Hours => n.hours(),
            Unit::Days => n.days(),
            Unit::Weeks => n.weeks(),
            Unit::Months => n.months(),
            Unit::Years => n.years(),
        };
        let moved = Timestamp::from_second(self.0)
            .and_then(|t| t.to_zoned(TimeZone::UTC).checked_add(span))
            .map_err(|e| {
                Refusal::new(&rules::DATE, format!("{self} and {term}: {e}"), "a moment from 1970 to 9999")
            })?;
        Self::from_unix(moved.timestamp().as_second())
    }

    /// Whole days from `now` until this moment, rounded down; negative once it has passed.
    pub fn days_after(self, now: Self) -> i64 {
        self.0.saturating_sub(now.0).div_euclid(86_400)
    }

    /// The year, for names that people give things.
    pub fn year(self) -> i16 {
        Timestamp::from_second(self.0).map_or(1970, year)
    }

    /// The calendar date alone: `2026-11-22`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

fn year(t: Timestamp) -> i16 {
    t.to_zoned(TimeZone::UTC).year()
}

fn bad_date(text: &str) -> Refusal {
    Refusal::new(&rules::DATE, format!("\"{}\"", visible(text)), "a date as 2026-11-22T13:00:00Z")
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(t) => write!(f, "{}", t.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl FromStr for Time {
    type Err = Refusal;

    /// Reads TUF's form and no other.
    fn from_str(text: &str) -> Result<Self> {
        let time = text.parse::<Timestamp>().map_err(|_| bad_date(text))?;
        let time = Self::from_unix(time.as_second())?;
        if time.to_string() == text { Ok(time) } else { Err(bad_date(text)) }
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
