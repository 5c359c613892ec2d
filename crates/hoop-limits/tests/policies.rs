//! What must hold of the policies whatever happens.

use std::collections::VecDeque;
use std::time::Duration;

use hoop_limits::{Admission, Entrance, Overdue, Pace, PaceLimits, Sight, Stage, Ticket};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> PaceLimits {
    PaceLimits {
        head: Some(10 * SECOND),
        idle: Some(30 * SECOND),
        body_rate: Some(100),
        body_grace: 5 * SECOND,
        stall: Some(20 * SECOND),
    }
}

fn quiet() -> Sight {
    Sight {
        requests: 1,
        unanswered: 0,
        stage: Stage::Between,
        awaited: true,
        received: 100,
        sent: 100,
        blocked: false,
    }
}

/// Looks at a connection once a second until something is overdue; when, and what.
fn overdue(limits: &PaceLimits, sight: impl Fn(u64) -> Sight) -> Option<(u64, Overdue)> {
    let mut pace = Pace::default();
    (0..200).find_map(|second| {
        pace.look(&sight(second), limits, u32::try_from(second).expect("short") * SECOND)
            .map(|what| (second, what))
    })
}

#[test]
fn an_idle_connection_is_overdue_after_its_time() {
    assert_eq!(overdue(&limits(), |_| quiet()), Some((31, Overdue::Idle)));
    let busy = |second| Sight { requests: u32::try_from(second / 30).expect("small"), ..quiet() };
    assert!(overdue(&limits(), |second| Sight { requests: busy(second).requests + 1, ..quiet() }).is_none());
}

#[test]
fn who_never_asks_has_the_time_of_a_head() {
    let silent = Sight { requests: 0, received: 0, sent: 0, ..quiet() };
    assert_eq!(overdue(&limits(), |_| silent), Some((11, Overdue::Idle)));
    let no_head = PaceLimits { head: None, ..limits() };
    assert_eq!(overdue(&no_head, |_| silent), Some((31, Overdue::Idle)));
}

#[test]
fn a_head_that_trickles_is_overdue_all_the_same() {
    let trickle = |second| Sight { stage: Stage::Head, received: second, ..quiet() };
    assert_eq!(overdue(&limits(), trickle), Some((11, Overdue::Head)));
    let behind_a_request = |second| Sight { unanswered: 1, ..trickle(second) };
    assert_eq!(overdue(&limits(), behind_a_request), None);
}

#[test]
fn a_body_must_come_at_its_rate_while_it_is_waited_for() {
    let body = |rate: u64| {
        move |second| Sight { unanswered: 1, stage: Stage::Body, received: rate * second, ..quiet() }
    };
    assert_eq!(overdue(&limits(), body(0)), Some((6, Overdue::Body)));
    assert_eq!(overdue(&limits(), body(99)), Some((6, Overdue::Body)));
    assert_eq!(overdue(&limits(), body(100)), None);
    let unread = |second| Sight { awaited: false, ..body(0)(second) };
    assert_eq!(overdue(&limits(), unread), None, "the application does not read");
    let now_and_then = |second: u64| Sight { awaited: second % 4 < 2, ..body(0)(second) };
    assert_eq!(
        overdue(&limits(), now_and_then).map(|(second, _)| second),
        Some(21),
        "a second in four counts"
    );
}

#[test]
fn each_body_has_a_grace_of_its_own() {
    let bodies = |second: u64| Sight {
        requests: u32::try_from(second / 5).expect("small") + 1,
        unanswered: 1,
        stage: Stage::Body,
        ..quiet()
    };
    assert_eq!(overdue(&limits(), bodies), None);
}

#[test]
fn a_client_that_takes_nothing_is_overdue() {
    let stalled = Sight { unanswered: 1, blocked: true, ..quiet() };
    assert_eq!(overdue(&limits(), |_| stalled), Some((21, Overdue::Stall)));
    assert_eq!(
        overdue(&limits(), |second| Sight { sent: second / 15, ..stalled }),
        None,
        "slow is not stalled"
    );
}

#[test]
fn what_is_none_is_never_overdue() {
    let none = PaceLimits { head: None, idle: None, body_rate: None, body_grace: SECOND, stall: None };
    for stage in [Stage::Between, Stage::Head, Stage::Body, Stage::Left] {
        for (unanswered, blocked) in [(0, false), (1, false), (1, true)] {
            assert_eq!(overdue(&none, |_| Sight { stage, unanswered, blocked, ..quiet() }), None);
        }
    }
    assert_eq!(none.shortest(), None);
    assert_eq!(limits().shortest(), Some(5 * SECOND));
}

#[test]
fn what_has_left_http_is_never_overdue() {
    assert_eq!(overdue(&limits(), |_| Sight { stage: Stage::Left, blocked: true, ..quiet() }), None);
}

fn any_sight() -> impl Strategy<Value = Sight> {
    let stage = prop::sample::select(&[Stage::Between, Stage::Head, Stage::Body, Stage::Left][..]);
    (0u32..3, 0u32..2, stage, any::<bool>(), 0u64..3, 0u64..3, any::<bool>()).prop_map(
        |(requests, unanswered, stage, awaited, received, sent, blocked)| Sight {
            requests,
            unanswered,
            stage,
            awaited,
            received,
            sent,
            blocked,
        },
    )
}

proptest! {
    /// Nothing is overdue before the shortest limit has passed since the connection was opened.
    #[test]
    fn nothing_is_overdue_early(sights in prop::collection::vec((any_sight(), 0u32..900), 0..40)) {
        let mut pace = Pace::default();
        let mut now = Duration::ZERO;
        for (sight, milliseconds) in sights {
            now += Duration::from_millis(milliseconds.into());
            let verdict = pace.look(&sight, &limits(), now);
            prop_assert!(verdict.is_none() || now > 5 * SECOND, "{verdict:?} at {now:?}");
            prop_assert!(pace.since() <= Some(now));
        }
    }

    /// There are never more inside than places, nobody waits while a place is free, and the queue is
    /// served in its order.
    #[test]
    fn places_are_never_exceeded_nor_left_empty(
        places in 1usize..5, queue in 0usize..5, acts in prop::collection::vec((0u8..3, any::<prop::sample::Index>()), 0..200),
    ) {
        let mut admission = Admission::new(places, queue);
        let (mut inside, mut waiting) = (0usize, VecDeque::<Ticket>::new());
        for (act, which) in acts {
            let next = match act {
                0 => {
                    match admission.enter() {
                        Entrance::Inside => inside += 1,
                        Entrance::Waiting(ticket) => waiting.push_back(ticket),
                        Entrance::Full => prop_assert!(inside == places && waiting.len() == queue),
                    }
                    None
                }
                1 if inside > 0 => {
                    inside -= 1;
                    admission.leave()
                }
                2 if !waiting.is_empty() => {
                    let ticket = waiting.remove(which.index(waiting.len())).expect("one of them");
                    admission.give_up(ticket)
                }
                _ => None,
            };
            if let Some(next) = next {
                prop_assert_eq!(Some(next), waiting.pop_front());
                inside += 1;
            }
            prop_assert_eq!((admission.inside(), admission.waiting()), (inside, waiting.len()));
            prop_assert!(inside <= places && waiting.len() <= queue);
            prop_assert!(waiting.is_empty() || inside == places);
        }
    }
}
