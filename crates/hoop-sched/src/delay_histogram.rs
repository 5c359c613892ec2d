//! How long things waited: counts in buckets that double, from a microsecond to half a minute.

/// The first bucket holds delays below 2^10 ns, which is a microsecond and a bit.
const FIRST_BOUND_BITS: u32 = 10;
/// The last bucket takes whatever is longer than the one before it holds: 2^35 ns, which is 34.4 s.
const BUCKETS: usize = 27;

/// Counts of delays. Bucket `n` holds those below [`DelayHistogram::bound`]`(n)` that the one before
/// does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayHistogram([u64; BUCKETS]);

impl Default for DelayHistogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl DelayHistogram {
    /// Counts a delay.
    #[inline]
    pub fn record(&mut self, nanoseconds: u64) {
        let bits = u64::BITS - (nanoseconds >> FIRST_BOUND_BITS).leading_zeros();
        if let Some(count) = self.0.get_mut((bits as usize).min(BUCKETS - 1)) {
            *count += 1;
        }
    }

    /// What the delays in a bucket stay below, in seconds; endless for the last.
    pub fn bound(bucket: usize) -> f64 {
        if bucket + 1 < BUCKETS {
            (1_u64 << (FIRST_BOUND_BITS + bucket as u32)) as f64 / 1e9
        } else {
            f64::INFINITY
        }
    }

    /// The counts, shortest delays first.
    pub fn counts(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket_of(nanoseconds: u64) -> usize {
        let mut histogram = DelayHistogram::default();
        histogram.record(nanoseconds);
        histogram.counts().iter().position(|count| *count == 1).expect("it is counted once")
    }

    #[test]
    fn each_bucket_ends_below_its_bound() {
        for bucket in 0..BUCKETS - 1 {
            let bound = 1024 << bucket;
            assert_eq!(bucket_of(bound - 1), bucket);
            assert_eq!(bucket_of(bound), bucket + 1);
            assert_eq!(DelayHistogram::bound(bucket), bound as f64 / 1e9);
        }
        assert_eq!(DelayHistogram::bound(20), 1.073_741_824);
    }

    #[test]
    fn the_first_bucket_takes_nothing_and_the_last_everything() {
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn a_delay_lies_within_the_bounds_of_its_bucket(nanoseconds in 0_u64..1 << 50) {
            let bucket = bucket_of(nanoseconds);
            let seconds = nanoseconds as f64 / 1e9;
            prop_assert!(seconds < DelayHistogram::bound(bucket));
            prop_assert!(bucket == 0 || seconds >= DelayHistogram::bound(bucket - 1));
        }
    }
}
