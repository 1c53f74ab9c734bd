//! Wall-clock time as a value, and the trait that hands it out.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Time since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment plus `duration`, saturating.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// RFC 3339 with whole seconds, as Kubernetes writes `metav1.Time`: `2026-01-31T08:00:00Z`.
    pub fn rfc3339(self) -> String {
        let (date, clock) = self.civil();
        format!("{date}T{clock}Z")
    }

    /// RFC 3339 with six decimals, as Kubernetes writes `metav1.MicroTime`.
    pub fn rfc3339_micros(self) -> String {
        let (date, clock) = self.civil();
        format!("{date}T{clock}.{:06}Z", self.0.rem_euclid(1_000_000))
    }

    /// RFC 3339 with nine decimals, as CRI logs and OCI histories write it.
    pub fn rfc3339_nanos(self) -> String {
        let (date, clock) = self.civil();
        format!("{date}T{clock}.{:06}000Z", self.0.rem_euclid(1_000_000))
    }

    /// Reads RFC 3339 with any number of decimals and any offset; decimals past the sixth are dropped.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<i64> {
            let part = text.get(from..to)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
        };
        let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        if separators.iter().any(|&(at, sep)| bytes.get(at) != Some(&sep)) || !matches!(bytes.get(10), Some(b'T' | b't' | b' ')) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let rest = text.get(19..)?;
        let (micros, zone) = fraction(rest)?;
        let days = days_from_civil(year, month, day);
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds(zone)?;
        Some(Self(seconds * 1_000_000 + micros))
    }

    fn civil(self) -> (String, String) {
        let seconds = self.seconds();
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let rest = seconds.rem_euclid(86_400);
        (format!("{year:04}-{month:02}-{day:02}"), format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// Where time comes from: the system, or a test that moves it by hand.
pub trait Clock: Send + Sync {
    /// The wall-clock time.
    fn now(&self) -> Timestamp;

    /// A time that is good only to be held against another of the same clock: nobody sets it, and it stands still while the machine
    /// sleeps. By default the wall-clock time.
    fn steady(&self) -> Timestamp {
        self.now()
    }
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn steady(&self) -> Timestamp {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        Timestamp::default().plus(BEGAN.get_or_init(Instant::now).elapsed())
    }
}

fn fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(decimals) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let digits = decimals.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let (number, zone) = decimals.split_at(digits);
    let padded: String = number.chars().chain(std::iter::repeat('0')).take(6).collect();
    Some((padded.parse().ok()?, zone))
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let valid = hours.len() == 2 && minutes.len() == 2;
    valid.then_some(sign * (hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60))
}

// The two conversions below count days in the proleptic Gregorian calendar with years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_the_same_moment() {
        for micros in [0, 1, 951_782_400_000_000, 1_700_000_000_123_456, 4_102_444_799_999_999, -1] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::parse_rfc3339(&at.rfc3339_micros()), Some(at), "{micros}");
        }
    }

    #[test]
    fn knows_leap_days_and_offsets() {
        assert_eq!(Timestamp::from_micros(951_782_400_000_000).rfc3339(), "2000-02-29T00:00:00Z");
        assert_eq!(Timestamp::parse_rfc3339("2000-02-29T02:30:00+02:30"), Timestamp::parse_rfc3339("2000-02-29T00:00:00Z"));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in ["", "2000-13-01T00:00:00Z", "2000-01-01", "2000-01-01T00:00:00", "2000-01-01T00:00:00.Z", "+000-01-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }
}
