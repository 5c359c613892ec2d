//! What must hold of rates whatever comes, and when.

use std::time::Duration;

use hoop_guard::{Quota, RateTable, Refusal};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn ten_a_second(burst: u32) -> Quota {
    Quota::new(10.0, SECOND, burst).expect("a rate")
}

#[test]
fn a_burst_passes_and_then_one_in_each_interval() {
    let mut table = RateTable::new(ten_a_second(3), 10);
    for left in (0..3).rev() {
        assert_eq!(table.take("ann", 1, SECOND), Ok(()));
        assert_eq!(table.left("ann", SECOND), left);
    }
    let wait = Duration::from_millis(100);
    assert_eq!(table.take("ann", 1, SECOND), Err(Refusal::Later(wait)));
    assert_eq!(table.take("ann", 1, SECOND + wait), Ok(()));
    assert_eq!(table.take("bob", 3, SECOND), Ok(()), "another key has its own");
    assert_eq!(table.take("bob", 4, 9 * SECOND), Err(Refusal::Never));
    assert_eq!(table.counts(), (5, 2, 0));
}

#[test]
fn no_quota_is_made_of_what_is_no_rate() {
    for (rate, per, burst) in [(0.0, SECOND, 1), (-1.0, SECOND, 1), (f64::NAN, SECOND, 1), (1.0, SECOND, 0)] {
        assert_eq!(Quota::new(rate, per, burst), None);
    }
    assert_eq!(Quota::new(1e12, SECOND, 1), None, "faster than one in a nanosecond");
    assert_eq!(Quota::new(1.0, Duration::ZERO, 1), None);
}

#[test]
fn a_full_table_forgets_those_with_most_left() {
    let mut table = RateTable::new(ten_a_second(10), 16);
    table.take(0, 10, SECOND).expect("all of its burst");
    for invented in 1..1000 {
        assert_eq!(table.take(invented, 1, SECOND), Ok(()));
        assert!(table.keys() <= 16);
    }
    assert!(matches!(table.take(0, 1, SECOND), Err(Refusal::Later(_))), "still known");
    assert!(table.counts().2 > 0);
}

#[test]
fn who_stands_behind_others_waits_for_them_too() {
    let mut table = RateTable::new(ten_a_second(2), 10);
    assert_eq!(table.look("ann", 1, 1, SECOND), Ok(()));
    assert_eq!(table.look("ann", 5, 1, SECOND), Err(Refusal::Later(Duration::from_millis(400))));
    table.take("ann", 2, SECOND).expect("the burst");
    table.give_back("ann", 1);
    assert_eq!(table.take("ann", 1, SECOND), Ok(()));
    assert!(table.take("ann", 1, SECOND).is_err());
    assert_eq!(table.counts().0, 1, "what was given back is not counted");
}

#[test]
fn keys_with_all_of_their_burst_make_room_unharmed() {
    let mut table = RateTable::new(ten_a_second(1), 4);
    for second in 1..100u32 {
        assert_eq!(table.take(second, 1, second * SECOND), Ok(()));
    }
    assert_eq!(table.counts().2, 0, "nobody lost anything by being forgotten");
}

proptest! {
    /// In any stretch of time no more passes than the burst and what the rate gives in that time.
    #[test]
    fn no_stretch_of_time_holds_more_than_burst_and_rate(
        steps in prop::collection::vec((0u64..400, 1u32..4), 1..200),
        burst in 1u32..8,
    ) {
        let mut table = RateTable::new(ten_a_second(burst), 1);
        let mut now = Duration::ZERO;
        let mut passed: Vec<(Duration, u32)> = Vec::new();
        for (pause, acts) in steps {
            now += Duration::from_millis(pause);
            if table.take((), acts, now).is_ok() {
                passed.push((now, acts));
            }
        }
        for (first, (begin, _)) in passed.iter().enumerate() {
            let mut acts = 0;
            for (end, more) in &passed[first..] {
                acts += more;
                let allowed = f64::from(burst) + (*end - *begin).as_secs_f64() * 10.0 + 1e-6;
                prop_assert!(f64::from(acts) <= allowed, "{acts} in {:?}", *end - *begin);
            }
        }
    }

    /// Who waits as long as it was told passes, and not a nanosecond earlier.
    #[test]
    fn the_wait_that_is_told_is_exact(
        steps in prop::collection::vec((0u64..200, 1u32..4), 1..100),
        rate in 0.1f64..10_000.0,
    ) {
        let mut table = RateTable::new(Quota::new(rate, SECOND, 3).expect("a rate"), 1);
        let mut now = SECOND;
        for (pause, acts) in steps {
            now += Duration::from_micros(pause);
            if let Err(Refusal::Later(wait)) = table.take((), acts, now) {
                prop_assert!(!wait.is_zero());
                prop_assert!(table.look(&(), 0, acts, now + wait - Duration::from_nanos(1)).is_err());
                now += wait;
                prop_assert_eq!(table.take((), acts, now), Ok(()));
            }
        }
    }

    /// However many keys come, the table stays within its bound and each new key may act.
    #[test]
    fn the_table_is_bounded(
        keys in prop::collection::vec((any::<u16>(), 0u64..50), 1..400),
        most in 1usize..20,
    ) {
        let mut table = RateTable::new(ten_a_second(2), most);
        let mut now = Duration::ZERO;
        for (key, pause) in keys {
            now += Duration::from_millis(pause);
            let is_new = table.left(&key, now) == 2;
            let taken = table.take(key, 1, now);
            prop_assert!(!is_new || taken.is_ok());
            prop_assert!(table.keys() <= most);
        }
    }
}
