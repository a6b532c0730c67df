//! The scripts decide as the machines in Rust do, on a clock that the test moves.

use std::time::Duration;

use cpex_builtin::limits::account::{Account, Calendar, Window};
use cpex_builtin::limits::amount::Amount;
use cpex_builtin::limits::bucket::{Bucket, Level};
use cpex_builtin::limits::moment::Moment;
use cpex_builtin::limits::rate::Rate;
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;
use redis::Connection;

use super::server::Server;

/// Before a script: its `TIME` is what the last two arguments say, and nothing expires by the server's own clock.
const CLOCK: &str = "
local server = redis
local redis = {error_reply = server.error_reply, call = function(name, ...)
  if name == 'TIME' then return {ARGV[#ARGV - 1], ARGV[#ARGV]} end
  if name == 'PEXPIRE' then return 1 end
  if name == 'SET' then local key, value = ... return server.call('SET', key, value) end
  return server.call(name, ...)
end}
";

fn run(
    server: &mut Connection,
    script: &str,
    keys: &[String],
    arguments: &[u64],
    now: Moment,
) -> redis::RedisResult<Vec<u64>> {
    let mut eval = redis::cmd("EVAL");
    eval.arg(format!("{CLOCK}{script}")).arg(keys.len()).arg(keys).arg(arguments);
    eval.arg(now.micros() / 1_000_000).arg(now.micros() % 1_000_000).query(server)
}

/// November 2026, give or take a year.
fn moments(steps: Vec<i64>) -> impl Iterator<Item = Moment> {
    steps.into_iter().scan(1_795_000_000_000_000_i64, |now, step| {
        *now += step;
        Some(Moment::from_micros(now.cast_unsigned()))
    })
}

/// Steps of a clock that mostly goes on.
fn steps(longest: i64) -> impl Strategy<Value = Vec<i64>> {
    vec(prop_oneof![1 => -longest..0, 4 => Just(0), 8 => 0..longest], 1..60)
}

fn check(test: impl Fn(&mut Connection)) {
    let server = Server::start();
    test(&mut server.client());
}

fn run_property<S: Strategy>(
    strategy: S,
    test: impl Fn(S::Value, &mut Connection) -> Result<(), TestCaseError>,
) {
    check(|server| {
        let server = std::cell::RefCell::new(server);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
        let result = runner.run(&strategy, |value| {
            let mut server = server.borrow_mut();
            redis::cmd("FLUSHALL").exec(&mut server).unwrap();
            test(value, &mut server)
        });
        result.unwrap();
    });
}

#[test]
fn pour_decides_as_the_bucket_does() {
    let script = include_str!("../../src/limits/scripts/pour.lua");
    let rates = ["7/3s", "100/min", "1000/day", "999983/day", "5000/s", "1/365d"];
    let strategy = (0..rates.len(), 0..rates.len(), 1..50u32, steps(2_000_000), 0..5u32);
    run_property(strategy, |(a, b, burst, steps, cost), server| {
        let burst = std::num::NonZeroU32::new(burst).unwrap();
        let rates = [a, b].map(|index| rates[index].parse::<Rate>().unwrap());
        let buckets = rates.map(|rate| Bucket::new(rate, burst).unwrap());
        let mut levels = [Level::default(); 2];
        let keys = ["a", "b"].map(String::from);
        for now in moments(steps) {
            let drops = [0, 1].map(|i| buckets[i].drops(levels[i], now));
            let fits = (0..2).all(|i| buckets[i].fits(drops[i], buckets[i].pour(cost)));
            if fits {
                levels = [0, 1].map(|i| buckets[i].after(levels[i], now, buckets[i].pour(cost)));
            }
            let arguments: Vec<_> = buckets
                .iter()
                .flat_map(|bucket| [bucket.capacity, bucket.drain, bucket.pour(cost)])
                .collect();
            let answer = run(server, script, &keys, &arguments, now).unwrap();
            prop_assert_eq!(answer, vec![u64::from(fits), drops[0], drops[1]]);
        }
        Ok(())
    });
}

#[test]
fn spend_and_settle_decide_as_the_account_does() {
    let spend = include_str!("../../src/limits/scripts/spend.lua");
    let settle = include_str!("../../src/limits/scripts/settle.lua");
    let day = 86_400_000_000_i64;
    let strategy = (1..400u64, steps(day / 2), vec((1..200u64, 0..3u64), 60));
    run_property(strategy, |(hard, steps, amounts), server| {
        let zone = TimeZone::get("America/New_York").unwrap();
        let windows =
            [Window::Rolling(Duration::from_secs(3 * 86_400)), Window::Calendar(Calendar::Day, zone)];
        let mut accounts = [Account::default(), Account::default()];
        let keys = ["a", "b"].map(String::from);
        for (now, (amount, part)) in moments(steps).zip(amounts) {
            let frames = [0, 1].map(|i: usize| windows[i].frame(now));
            let before = [0, 1].map(|i: usize| accounts[i].spent(&frames[i]).micros());
            let fits = before.iter().all(|spent| spent + amount <= hard);
            let mut arguments = vec![amount];
            for told in [beginnings_of_rolling(3 * 86_400), beginnings(&windows[1], now)] {
                arguments.push(hard + 1);
                arguments.extend(told);
            }
            let answer = run(server, spend, &keys, &arguments, now).unwrap();
            prop_assert_eq!((answer[0], answer[1]), (u64::from(fits), now.micros()));
            prop_assert_eq!(read(&answer[2..]), [0, 1].map(|i: usize| (frames[i].current, before[i])));
            if fits {
                let actual = amount * part / 2;
                for i in [0, 1] {
                    accounts[i].spend(&frames[i], Amount::from_micros(amount));
                    let [reserved, actual] = [amount, actual].map(Amount::from_micros);
                    accounts[i].settle(frames[i].current, reserved, actual);
                }
                let slots: Vec<_> = frames.iter().flat_map(|frame| [frame.current, amount, actual]).collect();
                run(server, settle, &keys, &slots, now).unwrap();
            }
        }
        Ok(())
    });
}

/// Of each account: the current slot, and the sum.
fn read(mut numbers: &[u64]) -> [(u64, u64); 2] {
    [(); 2].map(|()| {
        let slots = &numbers[2..2 + 2 * numbers[1] as usize];
        let account = (numbers[0], slots.chunks(2).map(|slot| slot[1]).sum());
        numbers = &numbers[2 + slots.len()..];
        account
    })
}

fn beginnings_of_rolling(seconds: u64) -> [u64; 5] {
    [seconds * 1_000_000 / 10, 0, 0, 0, 0]
}

/// The periods around now, as the neighbours of frames tell.
fn beginnings(window: &Window, now: Moment) -> [u64; 5] {
    let frame = window.frame(now);
    let end = frame.clears(frame.current);
    let next = window.frame(end);
    let before = window.frame(Moment::from_micros(frame.current - 1));
    [0, before.current, frame.current, end.micros(), next.clears(next.current).micros()]
}

#[test]
fn spend_goes_by_the_servers_clock_and_refuses_when_the_hosts_is_a_period_off() {
    check(|server| {
        let spend = include_str!("../../src/limits/scripts/spend.lua");
        let window = Window::Calendar(Calendar::Day, TimeZone::UTC);
        let host = Moment::from_micros(1_795_000_000_000_000);
        let mut arguments = vec![1, 0];
        arguments.extend(beginnings(&window, host));
        let day = Duration::from_secs(86_400);
        let mut slot =
            |now: Moment| run(server, spend, &["a".to_owned()], &arguments, now).map(|answer| answer[2]);
        let begin = window.frame(host).current;
        assert_eq!(slot(host), Ok(begin));
        assert_eq!(slot(host + day), Ok(begin + 86_400_000_000));
        assert_eq!(slot(Moment::from_micros(host.micros() - 86_400_000_000)), Ok(begin - 86_400_000_000));
        let error = slot(host + day * 2).unwrap_err();
        assert_eq!(error.code(), Some("CLOCK"));
    });
}
