//! Whether a dependency that fails is left alone for a while: closed, open, half open.
//!
//! Closed, all calls pass and are counted. When enough of them fail it opens: calls are refused at once.
//! After a while a few pass as probes; if they succeed it closes, if one fails it opens again. What began
//! before the state changed no longer counts.

use std::time::Duration;

use crate::window::Window;

const SUCCESSES: usize = 0;
const FAILURES: usize = 1;

/// When it opens, and when it closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerLimits {
    /// The share of failures at which it opens, above 0 and at most 1.
    pub failure_rate: f64,
    /// Calls that the window has to hold before their share means anything.
    pub least_calls: u64,
    /// How far back calls count.
    pub window: Duration,
    /// How long it stays open before it probes.
    pub open_for: Duration,
    /// How many probes pass at once, and how many have to succeed.
    pub probes: u32,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            failure_rate: 0.5,
            least_calls: 20,
            window: Duration::from_secs(10),
            open_for: Duration::from_secs(5),
            probes: 3,
        }
    }
}

/// What it does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They pass.
    Closed,
    /// They are refused.
    Open,
    /// A few pass, to see how they fare.
    HalfOpen,
}

/// A call that has passed. [`Breaker::leave`] wants it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage(pub u64);

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Success,
    /// In a way that speaks against the dependency.
    Failure,
    /// In a way that says nothing about it: its caller gave up.
    Neither,
}

/// One dependency's breaker.
#[derive(Debug)]
pub struct Breaker {
    limits: BreakerLimits,
    state: State,
    /// Goes up with each change of state; a passage names the one that it began in.
    era: u64,
    opened_at: Duration,
    window: Window,
    probes_out: u32,
    probes_well: u32,
    refused: u64,
    openings: u64,
}

impl Breaker {
    /// A closed one. Limits that cannot be meant are brought to the nearest that can.
    pub fn new(limits: BreakerLimits) -> Self {
        let failure_rate =
            if limits.failure_rate > 0.0 { limits.failure_rate.min(1.0) } else { f64::MIN_POSITIVE };
        Self {
            limits: BreakerLimits {
                failure_rate,
                least_calls: limits.least_calls.max(1),
                probes: limits.probes.max(1),
                ..limits
            },
            state: State::Closed,
            era: 0,
            opened_at: Duration::ZERO,
            window: Window::new(limits.window),
            probes_out: 0,
            probes_well: 0,
            refused: 0,
            openings: 0,
        }
    }

    /// A call wants to pass. Refused, it is told after how long it is worth asking again.
    pub fn enter(&mut self, now: Duration) -> Result<Passage, Duration> {
        if self.state == State::Open {
            let wait = self.opened_at.saturating_add(self.limits.open_for).saturating_sub(now);
            if !wait.is_zero() {
                self.refused += 1;
                return Err(wait);
            }
            self.become_state(State::HalfOpen);
        }
        if self.state == State::HalfOpen {
            if self.probes_out + self.probes_well >= self.limits.probes {
                self.refused += 1;
                return Err(Duration::ZERO);
            }
            self.probes_out += 1;
        }
        Ok(Passage(self.era))
    }

    /// A call that had passed has ended.
    pub fn leave(&mut self, passage: Passage, outcome: Outcome, now: Duration) {
        if passage.0 != self.era {
            return;
        }
        match self.state {
            State::Closed => self.count(outcome, now),
            State::HalfOpen => self.probed(outcome, now),
            State::Open => {}
        }
    }

    /// Opens it, whatever was counted.
    pub fn open(&mut self, now: Duration) {
        self.opened_at = now;
        self.openings += 1;
        self.become_state(State::Open);
    }

    /// Closes it and forgets what was counted.
    pub fn close(&mut self) {
        self.become_state(State::Closed);
    }

    /// What it does with calls. One that has been open for long enough is half open.
    pub fn state(&self, now: Duration) -> State {
        let rested = now >= self.opened_at.saturating_add(self.limits.open_for);
        if self.state == State::Open && rested { State::HalfOpen } else { self.state }
    }

    /// Calls in the window that succeeded and that failed.
    pub fn recent(&mut self, now: Duration) -> (u64, u64) {
        let totals = self.window.totals(now);
        (totals[SUCCESSES], totals[FAILURES])
    }

    /// How many calls were refused, and how often it has opened.
    pub fn counts(&self) -> (u64, u64) {
        (self.refused, self.openings)
    }

    fn count(&mut self, outcome: Outcome, now: Duration) {
        match outcome {
            Outcome::Success => self.window.add(SUCCESSES, now),
            Outcome::Failure => self.window.add(FAILURES, now),
            Outcome::Neither => return,
        }
        let (well, failed) = self.recent(now);
        let calls = well + failed;
        #[expect(clippy::cast_precision_loss, reason = "counts of calls in a window are far below 2^53")]
        let too_many = failed as f64 >= self.limits.failure_rate * calls as f64;
        if outcome == Outcome::Failure && calls >= self.limits.least_calls && too_many {
            self.open(now);
        }
    }

    fn probed(&mut self, outcome: Outcome, now: Duration) {
        self.probes_out = self.probes_out.saturating_sub(1);
        match outcome {
            Outcome::Success => {
                self.probes_well += 1;
                if self.probes_well >= self.limits.probes {
                    self.close();
                }
            }
            Outcome::Failure => self.open(now),
            Outcome::Neither => {}
        }
    }

    fn become_state(&mut self, state: State) {
        self.state = state;
        self.era += 1;
        self.probes_out = 0;
        self.probes_well = 0;
        self.window.clear();
    }
}
