//! The machine behind the cost budget: what was spent, slot by slot of time.
//!
//! **The law:** in any stretch of time as long as a rolling window, and in any period of a calendar, at most the
//! limit is spent. A rolling window moves on by a tenth of its length: what was spent counts for as long as the
//! window, and for up to a tenth longer.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Span as CalendarSpan, Timestamp, Zoned};
use serde::Deserialize;

use super::amount::Amount;
use super::moment::{Moment, micros};

/// Into how many slots a rolling window is divided.
pub const SLOTS: u64 = 10;

/// A period of the calendar. Weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
    /// From New Year to New Year.
    Year,
}

/// The time whose spending is summed up.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// The time up to now, of this length.
    Rolling(Duration),
    /// The period of the calendar that it is now, in a time zone.
    Calendar(Calendar, TimeZone),
}

/// The slots that count at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The first that counts. A rolling window numbers its slots; a period is named by the microsecond it begins.
    pub oldest: u64,
    /// The one that is spent in.
    pub current: u64,
    span: FrameSpan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FrameSpan {
    Slots { width: u64 },
    Until(Moment),
}

impl Window {
    /// The slots that count now.
    #[must_use]
    pub fn frame(&self, now: Moment) -> Frame {
        match self {
            Self::Rolling(length) => {
                let width = Self::width(*length);
                let current = now.micros() / width;
                let oldest = current.saturating_sub(SLOTS);
                Frame { oldest, current, span: FrameSpan::Slots { width } }
            }
            Self::Calendar(calendar, zone) => {
                let [_, begin, end, _] = calendar.around(now, zone);
                Frame { oldest: begin, current: begin, span: FrameSpan::Until(Moment::from_micros(end)) }
            }
        }
    }

    /// What Redis must know to tell the slot by its own clock: the width of a slot, or 0 and the beginnings of the
    /// periods around now.
    pub(super) fn told(&self, now: Moment) -> [u64; 5] {
        match self {
            Self::Rolling(length) => [Self::width(*length), 0, 0, 0, 0],
            Self::Calendar(calendar, zone) => {
                let [before, begin, end, after] = calendar.around(now, zone);
                [0, before, begin, end, after]
            }
        }
    }

    fn width(length: Duration) -> u64 {
        micros(length).div_ceil(SLOTS)
    }
}

impl Frame {
    /// When what was spent in a slot no longer counts.
    #[must_use]
    pub fn clears(&self, slot: u64) -> Moment {
        match self.span {
            FrameSpan::Slots { width } => Moment::from_micros((slot + SLOTS + 1).saturating_mul(width)),
            FrameSpan::Until(end) => end,
        }
    }
}

impl Calendar {
    /// The beginnings of the period before, of this one, of the next and of the one after it, in microseconds. What
    /// is beyond the calendar is one period without an end.
    fn around(self, now: Moment, zone: &TimeZone) -> [u64; 4] {
        let beginnings = || {
            let now = Timestamp::from_microsecond(now.micros().try_into().ok()?).ok()?;
            let begin = self.begin(&now.to_zoned(zone.clone())).ok()?;
            let mut all = [0; 4];
            for (beginning, periods) in all.iter_mut().zip(-1..) {
                let there = begin.checked_add(self.periods(periods)).ok()?;
                *beginning = self.begin(&there).ok()?.timestamp().as_microsecond().max(0).cast_unsigned();
            }
            Some(all)
        };
        beginnings().unwrap_or([0, 0, u64::MAX, u64::MAX])
    }

    fn periods(self, count: i32) -> CalendarSpan {
        let span = CalendarSpan::new();
        match self {
            Self::Day => span.days(count),
            Self::Week => span.weeks(count),
            Self::Month => span.months(count),
            Self::Year => span.years(count),
        }
    }

    fn begin(self, now: &Zoned) -> Result<Zoned, jiff::Error> {
        let first = match self {
            Self::Day => now.clone(),
            Self::Week => now.checked_sub(CalendarSpan::new().days(now.weekday().to_monday_zero_offset()))?,
            Self::Month => now.first_of_month()?,
            Self::Year => now.first_of_year()?,
        };
        first.start_of_day()
    }
}

/// What was spent, by slot, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    slots: Vec<(u64, Amount)>,
}

impl Account {
    /// What was spent in the slots that count.
    #[must_use]
    pub fn spent(&self, frame: &Frame) -> Amount {
        self.counted(frame).map(|(_, amount)| amount).sum()
    }

    /// Spends, and forgets what no longer counts.
    pub fn spend(&mut self, frame: &Frame, amount: Amount) {
        self.slots.retain(|(slot, _)| *slot >= frame.oldest);
        match self.slots.iter_mut().find(|(slot, _)| *slot == frame.current) {
            Some((_, spent)) => *spent = spent.plus(amount),
            None => self.slots.push((frame.current, amount)),
        }
    }

    /// Puts right what was spent in a slot. Nothing happens if it no longer counts.
    pub fn settle(&mut self, slot: u64, reserved: Amount, actual: Amount) {
        if let Some((_, spent)) = self.slots.iter_mut().find(|(known, _)| *known == slot) {
            *spent = spent.minus(reserved).plus(actual);
        }
    }

    /// How long until at least `amount` no longer counts; `None` if there is not so much.
    #[must_use]
    pub fn frees(&self, frame: &Frame, amount: Amount, now: Moment) -> Option<Duration> {
        let mut slots: Vec<_> = self.counted(frame).collect();
        slots.sort_unstable();
        let mut freed = Amount::ZERO;
        let enough = slots.into_iter().find(|(_, spent)| {
            freed = freed.plus(*spent);
            freed >= amount
        });
        enough.map(|(slot, _)| frame.clears(slot).since(now))
    }

    /// When nothing counts any more.
    #[must_use]
    pub fn clears(&self, frame: &Frame) -> Moment {
        self.slots.iter().map(|(slot, _)| frame.clears(*slot)).max().unwrap_or_default()
    }

    fn counted(&self, frame: &Frame) -> impl Iterator<Item = (u64, Amount)> {
        self.slots.iter().copied().filter(|(slot, _)| *slot >= frame.oldest)
    }
}

impl FromIterator<(u64, Amount)> for Account {
    fn from_iter<I: IntoIterator<Item = (u64, Amount)>>(slots: I) -> Self {
        Self { slots: slots.into_iter().collect() }
    }
}
