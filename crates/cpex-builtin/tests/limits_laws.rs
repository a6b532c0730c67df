//! The laws of the limits, on a clock that the tests move.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::num::NonZeroU32;
use std::time::Duration;

use cpex_builtin::limits::account::{Account, Calendar, Window};
use cpex_builtin::limits::amount::Amount;
use cpex_builtin::limits::breaker::{Breaker, FailureRate, Outcome, Settings, State};
use cpex_builtin::limits::bucket::{Bucket, Level};
use cpex_builtin::limits::moment::Moment;
use cpex_builtin::limits::rate::Rate;
use cpex_builtin::limits::span::Span;
use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;

fn rate(count: u32, per: Duration) -> Rate {
    Rate::new(NonZeroU32::new(count).unwrap(), Span::new(per).unwrap())
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// Calls as pauses in microseconds before them, and costs.
fn schedule(longest_pause: u64) -> impl Strategy<Value = Vec<(u64, u32)>> {
    vec((prop_oneof![Just(0), 0..=longest_pause], 1..4u32), 1..100)
}

/// Every stretch of a sequence.
fn stretches<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    (0..all.len()).flat_map(move |from| (from + 1..=all.len()).map(move |to| &all[from..to]))
}

proptest! {
    #[test]
    fn in_any_window_at_most_the_burst_and_the_rate_pass(
        limit in 1..50u32, millis in 1..5000u64, burst in 1..80u32, calls in schedule(3_000_000),
    ) {
        let per = Duration::from_millis(millis);
        let bucket = Bucket::new(rate(limit, per), count(burst)).unwrap();
        let (mut level, mut now, mut passed) = (Level::default(), Moment::from_micros(1), Vec::new());
        for (pause, cost) in calls {
            now = now + Duration::from_micros(pause);
            let pour = bucket.pour(cost);
            if bucket.fits(bucket.drops(level, now), pour) {
                level = bucket.after(level, now, pour);
                passed.push((now, u64::from(cost)));
            }
        }
        for stretch in stretches(&passed) {
            let window = stretch[stretch.len() - 1].0.since(stretch[0].0).as_micros();
            let cost: u64 = stretch.iter().map(|(_, cost)| cost).sum();
            let most = u128::from(burst) * per.as_micros() + u128::from(limit) * window;
            prop_assert!(u128::from(cost) * per.as_micros() <= most);
        }
    }

    #[test]
    fn one_limit_decides_as_governor_does(
        emission in 1..2000u64, burst in 1..50u32, calls in schedule(5_000),
    ) {
        let emission = Duration::from_micros(emission);
        let clock = FakeRelativeClock::default();
        let quota = Quota::with_period(emission).unwrap().allow_burst(count(burst));
        let theirs = RateLimiter::direct_with_clock(quota, clock.clone());
        let ours = Bucket::new(rate(1, emission), count(burst)).unwrap();
        let (mut level, mut now) = (Level::default(), Moment::default());
        for (pause, cost) in calls {
            clock.advance(Duration::from_micros(pause));
            now = now + Duration::from_micros(pause);
            let pour = ours.pour(cost);
            let fits = ours.fits(ours.drops(level, now), pour);
            if fits {
                level = ours.after(level, now, pour);
            }
            prop_assert_eq!(fits, matches!(theirs.check_n(count(cost)), Ok(Ok(_))));
        }
    }

    #[test]
    fn a_refused_call_passes_when_it_was_told_to_retry_and_not_before(
        limit in 1..50u32, millis in 1..5000u64, burst in 1..80u32, used in 0..80u32, cost in 1..80u32,
    ) {
        let bucket = Bucket::new(rate(limit, Duration::from_millis(millis)), count(burst)).unwrap();
        let level = Level { drops: bucket.pour(used.min(burst)), at: Moment::default() };
        match bucket.retry_after(level.drops, bucket.pour(cost)) {
            None => prop_assert!(cost > burst),
            Some(wait) => {
                let then = Moment::default() + wait;
                prop_assert!(bucket.fits(bucket.drops(level, then), bucket.pour(cost)));
                if !wait.is_zero() {
                    let before = Moment::from_micros(then.micros() - 1);
                    prop_assert!(!bucket.fits(bucket.drops(level, before), bucket.pour(cost)));
                }
            }
        }
    }

    #[test]
    fn a_clock_that_goes_back_lets_nothing_more_through(jumps in vec(-500_000i64..500_000, 1..200)) {
        let bucket = Bucket::new(rate(10, Duration::from_secs(1)), count(5)).unwrap();
        let (mut now, mut latest, mut passed) = (1_000_000i64, 0, 0u64);
        let mut level = Level::default();
        for jump in jumps {
            now = (now + jump).max(1_000_000);
            latest = latest.max(now);
            let at = Moment::from_micros(now.cast_unsigned());
            if bucket.fits(bucket.drops(level, at), bucket.pour(1)) {
                level = bucket.after(level, at, bucket.pour(1));
                passed += 1;
            }
        }
        prop_assert!(passed <= 5 + (latest - 1_000_000).cast_unsigned() / 100_000);
    }

    #[test]
    fn the_share_of_all_hosts_together_is_no_more_than_the_limit(hosts in 1..20u32, burst in 20..100u32) {
        let bucket = Bucket::new(rate(7, Duration::from_secs(3)), count(burst)).unwrap();
        let share = bucket.share(count(hosts)).unwrap();
        prop_assert!(share.burst() * u64::from(hosts) <= u64::from(burst));
        prop_assert!(share.burst() >= 1);
        let refill = |bucket: Bucket| bucket.drain as f64 / bucket.charge as f64;
        prop_assert!((refill(share) * f64::from(hosts) - refill(bucket)).abs() < 1e-12);
    }

    #[test]
    fn in_any_rolling_window_at_most_the_budget_is_spent(
        seconds in 1..100u64, hard in 1..1000u64, calls in vec((0..20_000_000u64, 1..200u64), 1..150),
    ) {
        let length = Duration::from_secs(seconds);
        let window = Window::Rolling(length);
        let (mut account, mut now, mut spent) = (Account::default(), Moment::from_micros(7), Vec::new());
        for (pause, amount) in calls {
            now = now + Duration::from_micros(pause);
            let frame = window.frame(now);
            if account.spent(&frame).micros() + amount <= hard {
                account.spend(&frame, Amount::from_micros(amount));
                spent.push((now, amount));
            }
        }
        for stretch in stretches(&spent) {
            if stretch[stretch.len() - 1].0.since(stretch[0].0) < length {
                prop_assert!(stretch.iter().map(|(_, amount)| amount).sum::<u64>() <= hard);
            }
        }
    }

    #[test]
    fn what_was_spent_counts_no_longer_than_a_tenth_beyond_the_window(at in 0..100_000_000u64) {
        let window = Window::Rolling(Duration::from_secs(10));
        let (spent, mut account) = (Moment::from_micros(at), Account::default());
        let frame = window.frame(spent);
        account.spend(&frame, Amount::from_micros(5));
        let over = window.frame(spent + Duration::from_secs(11));
        prop_assert_eq!(account.spent(&over), Amount::ZERO);
        let wait = account.frees(&frame, Amount::from_micros(5), spent).unwrap();
        prop_assert_eq!(account.spent(&window.frame(spent + wait)), Amount::ZERO);
        let before = Moment::from_micros((spent + wait).micros() - 1);
        prop_assert_eq!(account.spent(&window.frame(before)), Amount::from_micros(5));
    }

    #[test]
    fn a_refund_leaves_what_others_spent(amounts in vec(0..1000u64, 1..30), refunded in any::<prop::sample::Index>()) {
        let window = Window::Rolling(Duration::from_secs(3600));
        let frame = window.frame(Moment::from_micros(1));
        let mut account = Account::default();
        for amount in &amounts {
            account.spend(&frame, Amount::from_micros(*amount));
        }
        let back = *refunded.get(&amounts);
        account.settle(frame.current, Amount::from_micros(back), Amount::ZERO);
        prop_assert_eq!(account.spent(&frame).micros(), amounts.iter().sum::<u64>() - back);
    }

    #[test]
    fn a_breaker_never_lets_more_probes_run_than_it_may(
        probes in 1..4u32, steps in vec((0..3u8, 0..3_000_000u64), 1..300),
    ) {
        let settings = Settings {
            consecutive: Some(2), rate: None, open_for: Duration::from_secs(2), probes,
        };
        let (mut breaker, mut now, mut running) = (Breaker::default(), Moment::default(), Vec::new());
        for (step, pause) in steps {
            now = now + Duration::from_micros(pause);
            let was = breaker.state(now);
            match (step, running.pop()) {
                (0, Some(permit)) => { breaker.report(&settings, permit, Outcome::Failure, now); }
                (1, Some(permit)) => { breaker.report(&settings, permit, Outcome::Success, now); }
                (_, last) => {
                    running.extend(last);
                    let admitted = breaker.admit(&settings, now);
                    prop_assert!(was != State::Open || admitted.is_err(), "an open breaker admits nobody");
                    prop_assert!(was != State::Closed || admitted.is_ok(), "a closed breaker admits everybody");
                    if was != State::Closed && admitted.is_ok() {
                        let same = running.iter().filter(|permit| **permit == admitted.unwrap()).count();
                        prop_assert!(same < probes as usize);
                    }
                    running.extend(admitted.ok());
                }
            }
        }
    }
}

#[test]
fn days_begin_at_midnight_of_the_zone_through_daylight_saving() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let window = Window::Calendar(Calendar::Day, zone.clone());
    let at = |text: &str| {
        let zoned = text.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
        Moment::from_micros(zoned.timestamp().as_microsecond().cast_unsigned())
    };
    let frame = window.frame(at("2026-03-29T12:00"));
    assert_eq!(frame.current, at("2026-03-29T00:00").micros());
    assert_eq!(frame.clears(frame.current), at("2026-03-30T00:00"));
    assert_eq!(frame.clears(frame.current).since(at("2026-03-29T00:00")), Duration::from_secs(23 * 3600));
}

#[test]
fn weeks_months_and_years_begin_when_the_calendar_says() {
    let at = |text: &str| {
        Moment::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond().cast_unsigned())
    };
    for (calendar, now, begin, end) in [
        (Calendar::Week, "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Calendar::Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        (Calendar::Year, "2026-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ] {
        let frame = Window::Calendar(calendar, TimeZone::UTC).frame(at(now));
        assert_eq!(
            (frame.current, frame.clears(frame.current)),
            (at(begin).micros(), at(end)),
            "{calendar:?}"
        );
    }
}

#[test]
fn a_period_does_not_count_what_the_last_one_spent() {
    let window = Window::Calendar(Calendar::Day, TimeZone::UTC);
    let day = Duration::from_secs(86_400);
    let (today, tomorrow) =
        (window.frame(Moment::from_micros(5)), window.frame(Moment::from_micros(5) + day));
    let mut account = Account::default();
    account.spend(&today, Amount::from_micros(5));
    assert_eq!(account.spent(&today), Amount::from_micros(5));
    assert_eq!(account.spent(&tomorrow), Amount::ZERO);
}

struct Target {
    settings: Settings,
    breaker: Breaker,
    now: Moment,
}

impl Target {
    fn new(consecutive: Option<u32>, rate: Option<FailureRate>) -> Self {
        let settings = Settings { consecutive, rate, open_for: Duration::from_secs(30), probes: 2 };
        Self { settings, breaker: Breaker::default(), now: Moment::from_micros(1) }
    }

    fn call(&mut self, outcome: Outcome) -> bool {
        let Ok(permit) = self.breaker.admit(&self.settings, self.now) else { return false };
        self.breaker.report(&self.settings, permit, outcome, self.now);
        true
    }

    fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now + Duration::from_secs(seconds);
        self
    }

    fn state(&self) -> State {
        self.breaker.state(self.now)
    }
}

#[test]
fn failures_in_a_row_open_it_and_probes_close_it() {
    let mut target = Target::new(Some(3), None);
    for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Failure]
    {
        assert!(target.call(outcome));
        assert_eq!(target.state(), State::Closed);
    }
    assert!(target.call(Outcome::Unknown), "says nothing about the target");
    assert_eq!(target.state(), State::Closed);
    assert!(target.call(Outcome::Failure));
    assert_eq!(target.state(), State::Open);
    assert_eq!(target.breaker.admit(&target.settings, target.now), Err(Duration::from_secs(30)));
    target.wait(30);
    assert_eq!(target.state(), State::HalfOpen);
    assert!(target.call(Outcome::Success));
    assert_eq!(target.state(), State::HalfOpen, "two probes must succeed");
    assert!(target.call(Outcome::Success));
    assert_eq!(target.state(), State::Closed);
}

#[test]
fn a_probe_that_fails_or_never_ends_opens_it_again() {
    let mut target = Target::new(Some(1), None);
    target.call(Outcome::Failure);
    assert!(target.wait(30).call(Outcome::Failure));
    assert_eq!(target.state(), State::Open);
    target.wait(30);
    let (first, second) = (
        target.breaker.admit(&target.settings, target.now),
        target.breaker.admit(&target.settings, target.now),
    );
    assert!(first.is_ok() && second.is_ok());
    assert!(!target.wait(29).call(Outcome::Success), "two probes run already");
    assert!(!target.wait(1).call(Outcome::Success), "they were lost");
    assert_eq!(target.state(), State::Open);
    assert!(
        !target.breaker.report(&target.settings, first.unwrap(), Outcome::Success, target.now),
        "too late"
    );
    assert_eq!(target.state(), State::Open);
}

#[test]
fn a_share_of_failures_opens_it_once_there_are_enough_calls_in_the_window() {
    let rate = FailureRate { share: 0.5, window: Duration::from_secs(10), minimum: 4 };
    let mut target = Target::new(None, Some(rate));
    for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Success] {
        assert!(target.call(outcome));
    }
    assert_eq!(target.state(), State::Closed, "three calls say too little");
    target.wait(20);
    for outcome in [Outcome::Success, Outcome::Success, Outcome::Success, Outcome::Failure, Outcome::Failure]
    {
        assert!(target.call(outcome));
        assert_eq!(target.state(), State::Closed, "what has left the window does not count");
    }
    assert!(target.call(Outcome::Failure));
    assert_eq!(target.state(), State::Open, "three of six");
}
