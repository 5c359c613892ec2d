//! What must hold of retries, their pauses and their budget, and of hedges.

use std::time::Duration;

use hoop_guard::{
    Backoff, BudgetLimits, Deadline, Decision, HedgeLimits, HedgePolicy, Jitter, RetryBudget, RetryPolicy,
    StopReason, Trial,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> RetryPolicy {
    let backoff = Backoff { first: SECOND, factor: 2.0, longest: 10 * SECOND, jitter: Jitter::None };
    RetryPolicy { attempts: 5, total: Some(60 * SECOND), backoff }
}

fn trial(attempt: u32) -> Trial {
    Trial { attempt, is_safe: true, ..Trial::default() }
}

#[test]
fn pauses_double_up_to_the_longest() {
    let pauses: Vec<Duration> = (1..7).map(|attempt| policy().backoff.pause(attempt, None, 0.5)).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 10, 10].map(Duration::from_secs));
    assert_eq!(policy().backoff.pause(u32::MAX, None, 0.5), 10 * SECOND);
}

#[test]
fn it_stops_for_the_reason_that_holds() {
    let decide = |trial: Trial| policy().decide(&trial, 0.0);
    assert_eq!(decide(trial(1)), Decision::Again(SECOND));
    assert_eq!(decide(Trial { is_safe: false, ..trial(1) }), Decision::Stop(StopReason::Unsafe));
    assert_eq!(decide(trial(5)), Decision::Stop(StopReason::Attempts));
    assert_eq!(decide(Trial { elapsed: 59 * SECOND, ..trial(1) }), Decision::Stop(StopReason::Time));
}

#[test]
fn a_pause_that_is_asked_for_is_kept_or_there_is_no_retry() {
    let asked = |seconds| Trial { asked_pause: Some(seconds * SECOND), ..trial(1) };
    assert_eq!(policy().decide(&asked(30), 0.0), Decision::Again(30 * SECOND));
    assert_eq!(policy().decide(&asked(90), 0.0), Decision::Stop(StopReason::Time));
    assert_eq!(policy().decide(&asked(0), 0.0), Decision::Again(SECOND));
}

#[test]
fn a_call_never_has_more_time_than_its_caller() {
    let outer = Deadline::after(5 * SECOND, SECOND);
    assert_eq!(Deadline::after(9 * SECOND, SECOND).within(outer), outer);
    assert_eq!(Deadline::NONE.within(outer).left(4 * SECOND), Some(2 * SECOND));
    assert!(
        outer.has_passed(6 * SECOND) && !outer.has_passed(5 * SECOND) && !Deadline::NONE.has_passed(SECOND)
    );
    assert_eq!(Deadline::after(Duration::MAX, SECOND), Deadline::NONE);
}

#[test]
fn a_call_is_late_when_most_before_it_were_done() {
    let limits = HedgeLimits { percentile: 0.9, least_calls: 10, ..HedgeLimits::default() };
    let mut policy = HedgePolicy::new(limits);
    for tens in 1..=9 {
        policy.record(Duration::from_millis(10 * tens), SECOND);
        assert_eq!(policy.delay(0, SECOND), None, "too little is known");
    }
    policy.record(10 * SECOND, SECOND);
    let delay = policy.delay(0, SECOND).expect("ten are known");
    assert!((90..=96).contains(&delay.as_millis()), "{delay:?}");
    assert_eq!(policy.delay(1, SECOND), None, "no more than one is added");
    assert_eq!(policy.delay(0, 200 * SECOND), None, "what is long ago is forgotten");
    assert_eq!(policy.known(200 * SECOND), 0);
}

proptest! {
    /// No jitter makes a pause longer than the longest, and none but full jitter shorter than the first.
    #[test]
    fn pauses_have_bounds(attempt in 1u32..2000, last in 0u64..20_000, random in any::<f64>(), factor in 1.0f64..9.0) {
        for jitter in [Jitter::None, Jitter::Full, Jitter::Decorrelated] {
            let backoff = Backoff { jitter, factor, ..policy().backoff };
            let pause = backoff.pause(attempt, Some(Duration::from_millis(last)), random);
            prop_assert!(pause <= 10 * SECOND);
            prop_assert!(jitter == Jitter::Full || pause >= SECOND);
        }
    }

    /// Retries in a window never exceed the reserve and the share of the calls in it; with the share of
    /// two windows, since the budget's slices and ours do not begin together.
    #[test]
    fn retries_stay_within_the_budget(steps in prop::collection::vec((any::<bool>(), 0u64..300), 1..500)) {
        let limits = BudgetLimits { ratio: 0.2, reserve_per_second: 0.1, window: 10 * SECOND };
        let mut budget = RetryBudget::new(limits);
        let mut now = Duration::ZERO;
        let (mut calls, mut retries): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
        for (is_call, pause) in steps {
            now += Duration::from_millis(pause);
            if is_call {
                budget.deposit(now);
                calls.push(now);
            } else if budget.withdraw(now) {
                retries.push(now);
                let since = now.saturating_sub(9 * SECOND);
                let lately = retries.iter().filter(|at| **at >= since).count();
                let paid = calls.iter().filter(|at| **at >= now.saturating_sub(20 * SECOND)).count();
                prop_assert!(lately as f64 <= 1.0 + 0.2 * paid as f64 + 1e-9, "{lately} for {paid}");
            } else {
                prop_assert!(budget.balance(now) < 1.0);
            }
        }
    }

    /// A quantile is never below the truth, and above it by a sixteenth and a microsecond at most.
    #[test]
    fn quantiles_are_true_to_a_sixteenth(mut micros in prop::collection::vec(1u64..100_000_000, 1..300), share in 0.01f64..1.0) {
        let mut latencies = hoop_guard::Latencies::new(60 * SECOND);
        for latency in &micros {
            latencies.record(Duration::from_micros(*latency), SECOND);
        }
        micros.sort_unstable();
        let rank = ((micros.len() as f64 * share).ceil() as usize).max(1);
        let truth = micros[rank - 1] as f64;
        let told = latencies.quantile(share, SECOND).expect("there are some").as_micros() as f64;
        prop_assert!(told >= truth && told <= truth * (1.0 + 1.0 / 16.0) + 1.0, "{told} for {truth}");
    }
}
