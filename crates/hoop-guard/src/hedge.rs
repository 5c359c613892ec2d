//! When a second attempt is worth starting beside the first, which is late.

use std::time::Duration;

use crate::latencies::Latencies;

/// From when on a call is late, and what is done about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeLimits {
    /// A call is late when this share of the calls before was done by then.
    pub percentile: f64,
    /// How many attempts may be added.
    pub most: u32,
    /// Calls that have to be known before they say anything.
    pub least_calls: u64,
    /// When a call is late until then; None: never.
    pub until_known: Option<Duration>,
    /// No call is late before that.
    pub shortest: Duration,
    /// How far back calls count.
    pub window: Duration,
}

impl Default for HedgeLimits {
    fn default() -> Self {
        Self {
            percentile: 0.95,
            most: 1,
            least_calls: 20,
            until_known: None,
            shortest: Duration::from_millis(1),
            window: Duration::from_secs(60),
        }
    }
}

/// What calls took, and what follows from it.
#[derive(Debug)]
pub struct HedgePolicy {
    limits: HedgeLimits,
    latencies: Latencies,
}

impl HedgePolicy {
    /// One that knows of no call yet.
    pub fn new(limits: HedgeLimits) -> Self {
        Self { limits, latencies: Latencies::new(limits.window) }
    }

    /// An attempt succeeded after so long.
    pub fn record(&mut self, latency: Duration, now: Duration) {
        self.latencies.record(latency, now);
    }

    /// After how long without an answer one more attempt begins; `added` have been already.
    pub fn delay(&mut self, added: u32, now: Duration) -> Option<Duration> {
        if added >= self.limits.most {
            return None;
        }
        let known = self.latencies.count(now) >= self.limits.least_calls;
        let late = if known { self.latencies.quantile(self.limits.percentile, now) } else { None };
        late.or(self.limits.until_known).map(|delay| delay.max(self.limits.shortest))
    }

    /// How many calls are known.
    pub fn known(&mut self, now: Duration) -> u64 {
        self.latencies.count(now)
    }
}
