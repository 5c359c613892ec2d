//! Counts of what happened lately: a ring of ten slices of time.

use std::time::Duration;

const SLICES: usize = 10;

/// Two counts over the last while, correct to a tenth of it.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    slice: Duration,
    counts: [[u64; 2]; SLICES],
    totals: [u64; 2],
    /// The number of the slice that is counted in, since time began.
    current: u64,
}

impl Window {
    pub(crate) fn new(length: Duration) -> Self {
        let slices = u32::try_from(SLICES).unwrap_or(1);
        Self {
            slice: (length / slices).max(Duration::from_nanos(1)),
            counts: [[0; 2]; SLICES],
            totals: [0; 2],
            current: 0,
        }
    }

    /// Counts one more of the first or the second kind.
    pub(crate) fn add(&mut self, kind: usize, now: Duration) {
        self.turn(now);
        let slice = &mut self.counts[index(self.current)];
        if let (Some(count), Some(total)) = (slice.get_mut(kind), self.totals.get_mut(kind)) {
            *count += 1;
            *total += 1;
        }
    }

    /// Both counts, without what is too long ago.
    pub(crate) fn totals(&mut self, now: Duration) -> [u64; 2] {
        self.turn(now);
        self.totals
    }

    pub(crate) fn clear(&mut self) {
        self.counts = [[0; 2]; SLICES];
        self.totals = [0; 2];
    }

    /// Forgets the slices that have passed. Time that goes back counts as the latest that was seen.
    fn turn(&mut self, now: Duration) {
        let wanted = u64::try_from(now.as_nanos() / self.slice.as_nanos()).unwrap_or(u64::MAX);
        let passed = wanted.saturating_sub(self.current);
        if passed == 0 {
            return;
        }
        if passed >= SLICES as u64 {
            self.clear();
        } else {
            for number in self.current + 1..=wanted {
                let old = std::mem::take(&mut self.counts[index(number)]);
                self.totals[0] -= old[0];
                self.totals[1] -= old[1];
            }
        }
        self.current = wanted;
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number % SLICES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_leave_after_the_length_of_the_window() {
        let mut window = Window::new(Duration::from_secs(10));
        window.add(0, Duration::from_millis(500));
        window.add(1, Duration::from_secs(5));
        assert_eq!(window.totals(Duration::from_secs(9)), [1, 1]);
        assert_eq!(window.totals(Duration::from_secs(10)), [0, 1]);
        assert_eq!(window.totals(Duration::from_secs(15)), [0, 0]);
    }

    #[test]
    fn time_that_goes_back_changes_nothing() {
        let mut window = Window::new(Duration::from_secs(10));
        window.add(0, Duration::from_secs(100));
        window.add(0, Duration::from_secs(1));
        assert_eq!(window.totals(Duration::from_secs(100)), [2, 0]);
    }
}
