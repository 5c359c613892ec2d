//! How long things waited: counts in buckets that double, from a microsecond to half a minute.

/// Upper bound of the first bucket, in seconds.
const FIRST_BOUND: f64 = 1e-6;
/// The last bucket takes whatever is longer than the one before it: 2^25 µs, which is 33.6 s.
const BUCKETS: usize = 27;

/// Counts of delays. Bucket `n` holds those up to [`DelayHistogram::bound`]`(n)` that the one before
/// does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayHistogram([u64; BUCKETS]);

impl Default for DelayHistogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl DelayHistogram {
    /// Counts a delay. One that is negative or no number counts as none.
    #[inline]
    pub fn record(&mut self, seconds: f64) {
        // A cast saturates, and makes 0 of NaN and of what is negative.
        let bounds_passed = (seconds / FIRST_BOUND).ceil() as u64;
        let bucket = match bounds_passed {
            0 => 0,
            count => (u64::BITS - (count - 1).leading_zeros()) as usize,
        };
        if let Some(count) = self.0.get_mut(bucket.min(BUCKETS - 1)) {
            *count += 1;
        }
    }

    /// The longest delay that bucket `bucket` holds, in seconds; endless for the last.
    pub fn bound(bucket: usize) -> f64 {
        if bucket + 1 < BUCKETS { FIRST_BOUND * (1_u64 << bucket) as f64 } else { f64::INFINITY }
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

    fn bucket_of(seconds: f64) -> usize {
        let mut histogram = DelayHistogram::default();
        histogram.record(seconds);
        histogram.counts().iter().position(|count| *count == 1).expect("it is counted once")
    }

    #[test]
    fn each_bucket_ends_with_its_bound() {
        for (bucket, _) in DelayHistogram::default().counts().iter().enumerate().skip(1) {
            let below = DelayHistogram::bound(bucket - 1);
            assert_eq!(bucket_of(below), bucket - 1);
            assert_eq!(bucket_of(below * 1.01), bucket);
        }
        assert_eq!(DelayHistogram::bound(20), 1.048_576);
    }

    #[test]
    fn what_is_no_delay_counts_as_none() {
        for nothing in [0.0, -0.0, -5.0, f64::NEG_INFINITY, f64::NAN] {
            assert_eq!(bucket_of(nothing), 0);
        }
        assert_eq!(bucket_of(f64::INFINITY), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn a_delay_lies_within_the_bounds_of_its_bucket(seconds in 1e-9_f64..1e6) {
            let bucket = bucket_of(seconds);
            prop_assert!(seconds <= DelayHistogram::bound(bucket));
            prop_assert!(bucket == 0 || seconds > DelayHistogram::bound(bucket - 1));
        }
    }
}
