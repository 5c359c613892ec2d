//! What must hold of breakers, however calls end.

use std::time::Duration;

use hoop_guard::{Breaker, BreakerLimits, Outcome, Passage, State};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> BreakerLimits {
    BreakerLimits { failure_rate: 0.5, least_calls: 4, window: 10 * SECOND, open_for: 5 * SECOND, probes: 2 }
}

fn call(breaker: &mut Breaker, outcome: Outcome, now: Duration) {
    let passage = breaker.enter(now).expect("it passes");
    breaker.leave(passage, outcome, now);
}

fn opened_at(now: Duration) -> Breaker {
    let mut breaker = Breaker::new(limits());
    for _ in 0..4 {
        call(&mut breaker, Outcome::Failure, now);
    }
    assert_eq!(breaker.state(now), State::Open);
    breaker
}

#[test]
fn it_opens_at_the_share_of_failures_once_there_are_enough_calls() {
    let mut breaker = Breaker::new(limits());
    for outcome in [Outcome::Failure, Outcome::Success, Outcome::Success] {
        call(&mut breaker, outcome, SECOND);
    }
    assert_eq!(breaker.recent(SECOND), (2, 1));
    call(&mut breaker, Outcome::Failure, SECOND);
    assert_eq!(breaker.state(SECOND), State::Open);
    assert_eq!(breaker.enter(2 * SECOND), Err(4 * SECOND));
    assert_eq!(breaker.counts(), (1, 1));
}

#[test]
fn failures_that_are_long_ago_do_not_count() {
    let mut breaker = Breaker::new(limits());
    for _ in 0..3 {
        call(&mut breaker, Outcome::Failure, SECOND);
    }
    call(&mut breaker, Outcome::Failure, 20 * SECOND);
    assert_eq!(breaker.state(20 * SECOND), State::Closed);
}

#[test]
fn it_closes_after_as_many_probes_and_opens_after_one_that_fails() {
    let mut breaker = opened_at(SECOND);
    let now = 6 * SECOND;
    assert_eq!(breaker.state(now), State::HalfOpen);
    let probes = [breaker.enter(now).expect("a probe"), breaker.enter(now).expect("a probe")];
    assert_eq!(breaker.enter(now), Err(Duration::ZERO), "no more than two at once");
    for probe in probes {
        breaker.leave(probe, Outcome::Success, now);
    }
    assert_eq!(breaker.state(now), State::Closed);

    let mut breaker = opened_at(SECOND);
    let probe = breaker.enter(now).expect("a probe");
    breaker.leave(probe, Outcome::Failure, now);
    assert_eq!(breaker.enter(now), Err(5 * SECOND));
}

#[test]
fn a_probe_whose_caller_gave_up_frees_its_place() {
    let mut breaker = opened_at(SECOND);
    for _ in 0..10 {
        let probe = breaker.enter(6 * SECOND).expect("a probe");
        breaker.leave(probe, Outcome::Neither, 6 * SECOND);
    }
    assert_eq!(breaker.state(6 * SECOND), State::HalfOpen);
}

#[test]
fn what_began_before_it_opened_does_not_count_as_a_probe() {
    let mut breaker = Breaker::new(limits());
    let old = breaker.enter(SECOND).expect("closed");
    for _ in 0..4 {
        call(&mut breaker, Outcome::Failure, SECOND);
    }
    let probe = breaker.enter(6 * SECOND).expect("a probe");
    breaker.leave(old, Outcome::Failure, 6 * SECOND);
    assert_eq!(breaker.state(6 * SECOND), State::HalfOpen);
    breaker.leave(probe, Outcome::Success, 6 * SECOND);
    assert_eq!(breaker.state(6 * SECOND), State::HalfOpen, "one probe of two");
}

proptest! {
    /// Whatever calls do, the breaker never passes a call while it is open, has never more probes out
    /// than allowed, and closes again once calls succeed.
    #[test]
    fn it_keeps_its_promises(steps in prop::collection::vec((0u8..4, 0u64..3000, any::<usize>()), 1..300)) {
        let mut breaker = Breaker::new(limits());
        let mut out: Vec<(Passage, State)> = Vec::new();
        let mut now = Duration::ZERO;
        for (action, pause, which) in steps {
            now += Duration::from_millis(pause);
            let before = breaker.state(now);
            if action == 0 || out.is_empty() {
                match breaker.enter(now) {
                    Ok(passage) => {
                        prop_assert_ne!(before, State::Open);
                        out.push((passage, breaker.state(now)));
                        let era = passage;
                        let probes = out.iter().filter(|(each, state)| *each == era && *state == State::HalfOpen);
                        prop_assert!(probes.count() <= 2);
                    }
                    Err(wait) => {
                        prop_assert_ne!(before, State::Closed);
                        prop_assert!(wait <= 5 * SECOND);
                    }
                }
            } else {
                let (passage, _) = out.swap_remove(which % out.len());
                let outcome = [Outcome::Success, Outcome::Failure, Outcome::Neither][usize::from(action) - 1];
                breaker.leave(passage, outcome, now);
            }
        }
        for (passage, _) in out {
            breaker.leave(passage, Outcome::Neither, now);
        }
        now += 5 * SECOND;
        for _ in 0..2 {
            let passage = breaker.enter(now).expect("it has rested");
            breaker.leave(passage, Outcome::Success, now);
        }
        prop_assert_eq!(breaker.state(now), State::Closed);
    }
}
