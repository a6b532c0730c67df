use std::time::Duration;

use proptest::prelude::*;

use super::{Breaker, BreakerConfig, Change, Changed, Replicas, State, Ticket};

const CONFIG: BreakerConfig = BreakerConfig {
    failures: 3,
    wait: Duration::from_secs(1),
    longest_wait: Duration::from_secs(3),
    successes: 2,
};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_breaker_opens_waits_longer_and_longer_and_closes_by_itself() {
    let mut breaker = Breaker::new(CONFIG);
    for fails in [true, true, false, true, true] {
        let pass = breaker.admit(at(0)).unwrap();
        if fails {
            breaker.failed(pass, at(0));
        } else {
            breaker.succeeded(pass);
        }
        assert_eq!(breaker.state(), State::Closed, "not three in a row");
    }
    let pass = breaker.admit(at(0)).unwrap();
    breaker.failed(pass, at(0));
    // 1 s, 2 s, then never more than 3 s.
    for (now, until) in [(0, 1), (1, 3), (3, 6), (6, 9)] {
        assert_eq!(breaker.state(), State::Open { until: at(until) });
        assert!(breaker.admit(at(now)).is_none());
        let trial = breaker.admit(at(until)).unwrap();
        assert!(breaker.admit(at(until)).is_none(), "one at a time");
        breaker.failed(trial, at(until));
    }
    let trial = breaker.admit(at(20)).unwrap();
    breaker.abandoned(trial);
    for _ in 0..2 {
        assert_eq!(breaker.state(), State::HalfOpen);
        let trial = breaker.admit(at(20)).unwrap();
        breaker.succeeded(trial);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_call_from_before_says_nothing_about_now() {
    let mut breaker = Breaker::new(CONFIG);
    let (late, mut failing) = (breaker.admit(at(0)).unwrap(), Vec::new());
    failing.extend((0..4).map(|_| breaker.admit(at(0)).unwrap()));
    for pass in failing {
        breaker.failed(pass, at(0));
    }
    assert_eq!(breaker.state(), State::Open { until: at(1) }, "the fourth does not prolong it");
    breaker.succeeded(late);
    assert_eq!(breaker.state(), State::Open { until: at(1) });
}

#[test]
fn the_least_busy_is_asked_and_equals_take_turns() {
    let mut replicas = Replicas::new(3, CONFIG);
    let tickets: Vec<_> = (0..6).map(|_| replicas.choose(at(0), &[]).unwrap()).collect();
    assert_eq!(tickets.iter().map(Ticket::replica).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
    for ticket in tickets.into_iter().filter(|ticket| ticket.replica() == 1) {
        replicas.succeeded(ticket);
    }
    let next = replicas.choose(at(0), &[]).unwrap();
    assert_eq!(next.replica(), 1);
    let other = replicas.choose(at(0), &[1]).unwrap();
    assert_ne!(other.replica(), 1);
}

#[test]
fn one_that_fails_is_ejected_tried_and_readmitted() {
    let mut replicas = Replicas::new(2, CONFIG);
    for _ in 0..3 {
        let ticket = replicas.choose(at(0), &[1]).unwrap();
        replicas.failed(ticket, at(0));
    }
    for _ in 0..4 {
        let ticket = replicas.choose(at(0), &[]).unwrap();
        assert_eq!(ticket.replica(), 1);
        replicas.succeeded(ticket);
    }
    assert!(replicas.choose(at(0), &[1]).is_none());
    for _ in 0..2 {
        let trial = replicas.choose(at(1), &[1]).unwrap();
        replicas.succeeded(trial);
    }
    assert!(replicas.status().all(|status| status == (State::Closed, 0)));
}

proptest! {
    /// Whatever happens: every call is counted once, and none is let through an open breaker.
    #[test]
    fn no_call_is_lost_and_none_passes_an_open_breaker(steps in prop::collection::vec((0u8..5, 0usize..8, 0u64..3), 0..200)) {
        let mut replicas = Replicas::new(3, CONFIG);
        let (mut under_way, mut now) = (Vec::<Ticket>::new(), Duration::ZERO);
        for (step, which, later) in steps {
            now += at(later);
            if step < 2 {
                let before: Vec<_> = replicas.status().collect();
                if let Some(ticket) = replicas.choose(now, &[]) {
                    if let State::Open { until } = before[ticket.replica()].0 {
                        prop_assert!(until <= now);
                    }
                    under_way.push(ticket);
                } else {
                    prop_assert!(before.iter().all(|(state, _)| *state != State::Closed));
                }
            } else if !under_way.is_empty() {
                let ticket = under_way.swap_remove(which % under_way.len());
                match step {
                    2 => replicas.succeeded(ticket),
                    3 => replicas.failed(ticket, now),
                    _ => replicas.abandoned(ticket),
                }
            }
            prop_assert_eq!(replicas.status().map(|(_, outstanding)| outstanding).sum::<usize>(), under_way.len());
        }
    }
}

/// Opens the breaker of the only server that may be chosen.
fn eject(replicas: &mut Replicas, now: Duration, reached: bool) {
    for _ in 0..CONFIG.failures {
        let ticket = replicas.choose(now, &[]).unwrap();
        match reached {
            true => replicas.failed(ticket, now),
            false => replicas.unreached(ticket, now),
        }
    }
}

#[test]
fn a_health_check_readmits_a_server_that_was_not_reached_before_and_says_nothing_of_its_calls() {
    let (open, tried) = (State::Open { until: at(3) }, State::HalfOpen);
    for (reached, asked, expected) in [(true, 2, open), (false, 2, tried), (false, 1, open)] {
        let mut replicas = Replicas::new(1, CONFIG);
        eject(&mut replicas, at(2), reached);
        let opened = Changed::Breaker { from: State::Closed, to: open };
        assert_eq!(replicas.take_changes(), [Change { replica: 0, what: opened }]);
        assert!(replicas.choose(at(2), &[]).is_none());
        replicas.answered(0, at(asked), at(2));
        let trial = replicas.choose(at(2), &[]);
        let is_tried = expected == tried;
        assert_eq!(
            (trial.is_some(), replicas.status().next()),
            (is_tried, Some((expected, usize::from(is_tried))))
        );
    }
}

#[test]
fn a_silent_server_is_asked_only_if_all_are() {
    let mut replicas = Replicas::new(2, CONFIG);
    replicas.missed(0, 2);
    assert_eq!((replicas.take_changes(), replicas.is_silent(0)), (vec![], false));
    replicas.missed(0, 2);
    replicas.missed(0, 2);
    assert_eq!(replicas.take_changes(), [Change { replica: 0, what: Changed::Silent }]);
    for _ in 0..4 {
        assert_eq!(replicas.choose(at(0), &[]).unwrap().replica(), 1);
    }
    assert_eq!(replicas.choose(at(0), &[1]).unwrap().replica(), 0, "there is no other");
    replicas.answered(0, at(0), at(0));
    assert_eq!(replicas.take_changes(), [Change { replica: 0, what: Changed::Answering }]);
    assert_eq!(replicas.choose(at(0), &[]).unwrap().replica(), 0);
    for replica in [0, 1] {
        replicas.missed(replica, 1);
    }
    assert!(replicas.choose(at(0), &[]).is_some(), "the checks may be what is wrong");
}
