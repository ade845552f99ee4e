//! Moments and durations as a person reads them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Microseconds since the Unix epoch, printed as the clock on the wall shows them: in the zone of `$TZ`, else of
/// `/etc/localtime`, else UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Takes microseconds since the Unix epoch.
    pub(crate) fn from_us(time_us: u64) -> Self {
        Self(time_us)
    }

    /// Prints the time of day to the microsecond, `21:04:05.123456`.
    pub(crate) fn precise(self) -> String {
        self.format("%H:%M:%S%.6f", &TimeZone::system())
    }

    /// Prints the time of day, and the date where it is not today's.
    pub(crate) fn rough(self) -> String {
        self.rough_seen_at(Timestamp::now(), &TimeZone::system())
    }

    fn rough_seen_at(self, now: Timestamp, zone: &TimeZone) -> String {
        let today = now.to_zoned(zone.clone()).date();
        let is_today = self.timestamp().is_some_and(|time| time.to_zoned(zone.clone()).date() == today);
        self.format(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }, zone)
    }

    fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_microsecond(i64::try_from(self.0).ok()?).ok()
    }

    fn format(self, format: &str, zone: &TimeZone) -> String {
        match self.timestamp() {
            Some(time) => time.to_zoned(zone.clone()).strftime(format).to_string(),
            // After the year 9999; whoever sent it has no clock.
            None => format!("{} us", self.0),
        }
    }
}

/// A duration in its two largest units: `42s`, `3m 12s`, `2h 5m`, `4d 1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(u64);

impl Span {
    /// Takes seconds; below 0, and what is no number, is 0.
    pub(crate) fn from_secs(secs: f64) -> Self {
        Self(Duration::try_from_secs_f64(secs).map_or(0, |span| span.as_secs()))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, mins, hours) = (self.0 % 60, self.0 / 60 % 60, self.0 / 3600 % 24);
        match (self.0 / 86_400, self.0 / 3600, self.0 / 60) {
            (0, 0, 0) => write!(f, "{secs}s"),
            (0, 0, _) => write!(f, "{mins}m {secs}s"),
            (0, ..) => write!(f, "{hours}h {mins}m"),
            (days, ..) => write!(f, "{days}d {hours}h"),
        }
    }
}

/// How long something took, to three digits: `312 us`, `2.31 ms`, `12.3 s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Took(pub(crate) u64);

impl Took {
    /// Takes a duration, in whole microseconds.
    pub(crate) fn of(took: Duration) -> Self {
        Self(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0;
        // In hundredths of the unit, cut and not rounded: nothing is told as more than it was.
        let (hundredths, unit) = match us {
            0..1_000 => return f.pad(&format!("{us} us")),
            1_000..1_000_000 => (us / 10, "ms"),
            _ => (us / 10_000, "s"),
        };
        let whole = hundredths / 100;
        f.pad(&match hundredths {
            0..1_000 => format!("{whole}.{:02} {unit}", hundredths % 100),
            1_000..10_000 => format!("{whole}.{} {unit}", hundredths / 10 % 10),
            _ => format!("{whole} {unit}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_left_out_today_and_only_today() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        let at = Moment::from_us(1_795_000_000_123_456);
        let seen_at = |secs: i64| at.rough_seen_at(Timestamp::from_second(secs).unwrap(), &zone);
        assert_eq!(at.format("%H:%M:%S%.6f", &zone), "08:06:40.123456");
        assert_eq!(seen_at(1_795_000_001), "08:06:40");
        assert_eq!(seen_at(1_795_000_001 + 86_400), "2026-11-18 08:06:40");
    }

    #[test]
    fn a_moment_beyond_every_calendar_is_printed_as_its_number() {
        assert_eq!(Moment::from_us(u64::MAX).precise(), "18446744073709551615 us");
    }

    #[test]
    fn what_it_took_has_three_digits_and_its_unit() {
        for (us, printed) in [
            (0, "0 us"),
            (999, "999 us"),
            (1_000, "1.00 ms"),
            (2_319, "2.31 ms"),
            (12_399, "12.3 ms"),
            (999_999, "999 ms"),
            (1_000_000, "1.00 s"),
            (3_600_000_000, "3600 s"),
        ] {
            assert_eq!(Took(us).to_string(), printed);
        }
        assert_eq!(format!("{:>8}", Took::of(Duration::from_millis(5))), " 5.00 ms");
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (secs, printed) in [
            (0.9, "0s"),
            (59.0, "59s"),
            (60.0, "1m 0s"),
            (3_599.0, "59m 59s"),
            (7_500.0, "2h 5m"),
            (350_000.0, "4d 1h"),
            (-1.0, "0s"),
            (f64::NAN, "0s"),
        ] {
            assert_eq!(Span::from_secs(secs).to_string(), printed);
        }
    }
}
