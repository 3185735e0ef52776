//! When a cron expression fires, in UTC.

use std::cmp::Ordering;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{CivilDateTime, CronDateTime, Resolution, Weekday};
use time::{Date, Month, OffsetDateTime, Time};

/// Events of a trigger that are written ahead, as in Hasura.
pub(super) const AHEAD: usize = 100;

/// A cron expression of five fields.
#[derive(Debug, Clone)]
pub struct Schedule(Cron);

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(String);

impl Schedule {
    /// Reads `minute hour day month weekday`, with lists, ranges, steps and names, or a word such as `@hourly`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let begins = |c: char| c.is_ascii_digit() || c == '*' || c == '@';
        if !text.trim_start().starts_with(begins) {
            // Hasura's words for what does not begin as an expression does.
            return Err(ScheduleError("Failed reading: takeWhile1".to_owned()));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        parser.parse(text).map(Self).map_err(|error| ScheduleError(format!("not a cron schedule: {error}")))
    }

    /// The next times after a moment; fewer when it fires no more.
    pub(super) fn after(&self, moment: OffsetDateTime) -> Vec<OffsetDateTime> {
        self.0.iter_after(Utc(moment)).take(AHEAD).map(|time| time.0).collect()
    }
}

/// A moment as croner sees it.
#[derive(Clone)]
struct Utc(OffsetDateTime);

impl CronDateTime for Utc {
    fn to_civil(&self) -> CivilDateTime {
        let (date, time) = (self.0.date(), self.0.time());
        CivilDateTime::from_ymd_hms_opt(
            date.year(),
            u8::from(date.month()).into(),
            date.day().into(),
            time.hour().into(),
            time.minute().into(),
            time.second().into(),
        )
        .unwrap_or_else(|| unreachable!("a date of the calendar is one"))
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(self.0.weekday().number_days_from_sunday().into())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        let date = Month::try_from(small(civil.month()))
            .and_then(|month| Date::from_calendar_date(civil.year(), month, small(civil.day())))
            .map_err(|_| CronError::InvalidDate)?;
        let time = Time::from_hms(small(civil.hour()), small(civil.minute()), small(civil.second()))
            .map_err(|_| CronError::InvalidTime)?;
        Ok(Resolution::Single(Self(date.with_time(time).assume_utc())))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(time::Duration::seconds(seconds)).map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn next(schedule: &str, count: usize) -> Vec<String> {
        let times = Schedule::parse(schedule).unwrap().after(datetime!(2026-02-27 23:58:30 UTC));
        times.iter().take(count).map(|time| format!("{} {}", time.date(), time.time())).collect()
    }

    #[test]
    fn schedules_fire_on_the_minute_in_utc() {
        assert_eq!(next("* * * * *", 3), ["2026-02-27 23:59:00.0", "2026-02-28 0:00:00.0", "2026-02-28 0:01:00.0"]);
        assert_eq!(next("*/20 * * * *", 2), ["2026-02-28 0:00:00.0", "2026-02-28 0:20:00.0"]);
        assert_eq!(next("30 4 1,15 * *", 2), ["2026-03-01 4:30:00.0", "2026-03-15 4:30:00.0"]);
        assert_eq!(next("0 12 * * 1-5", 2), ["2026-03-02 12:00:00.0", "2026-03-03 12:00:00.0"]);
        assert_eq!(next("0 0 29 2 *", 2), ["2028-02-29 0:00:00.0", "2032-02-29 0:00:00.0"]);
        assert_eq!(next("@daily", 1), ["2026-02-28 0:00:00.0"]);
        // A day of the month or a day of the week, when both are given.
        assert_eq!(next("0 0 13 * 5", 3), ["2026-03-06 0:00:00.0", "2026-03-13 0:00:00.0", "2026-03-20 0:00:00.0"]);
        assert_eq!(next("* * * * *", usize::MAX).len(), AHEAD);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let refused = |text: &str| Schedule::parse(text).unwrap_err().to_string();
        assert_eq!(refused("every minute"), "Failed reading: takeWhile1");
        assert_eq!(refused(""), "Failed reading: takeWhile1");
        for text in ["60 * * * *", "* * * *", "* * * * * *", "* 25 * * *", "*/0 * * * *", "@often"] {
            assert!(refused(text).starts_with("not a cron schedule: "), "{text}");
        }
    }
}
