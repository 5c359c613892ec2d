//! Latencies, counted per whole microsecond: exact percentiles in a fixed amount of memory.

use std::time::Duration;

/// How long answers took.
pub struct Latencies {
    counts: Vec<u32>,
    total: u64,
}

impl Latencies {
    /// Latencies beyond this many microseconds are counted as this many.
    const LONGEST: usize = 2_000_000;

    pub fn new() -> Self {
        Self { counts: vec![0; Self::LONGEST + 1], total: 0 }
    }

    /// Counts one more.
    pub fn record(&mut self, latency: Duration) {
        let bucket = usize::try_from(latency.as_micros()).unwrap_or(usize::MAX).min(Self::LONGEST);
        self.counts[bucket] += 1;
        self.total += 1;
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The smallest latency that at least `share` of all messages did not exceed.
    pub fn percentile(&self, share: f64) -> usize {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (microseconds, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return microseconds;
            }
        }
        Self::LONGEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_a_microsecond() {
        let mut latencies = Latencies::new();
        for microseconds in 1..=100 {
            latencies.record(Duration::from_micros(microseconds));
        }
        assert_eq!((latencies.percentile(0.50), latencies.percentile(0.99)), (50, 99));
        latencies.record(Duration::from_secs(60));
        assert_eq!(latencies.percentile(1.0), Latencies::LONGEST);
    }
}
