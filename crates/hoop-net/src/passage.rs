//! What the two ends of an HTTP/1 connection tell each other: the gate under hyper, the service above.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::Waker;

use hoop_http1::{Refusal, Stop};

/// One connection's requests, counted where they pass the gate and where they are answered.
///
/// Atomic, and behind a lock where it is rare, only because hyper wants upgraded connections to be
/// `Send`: one thread drives both ends.
#[derive(Debug, Default)]
pub struct Passage {
    /// Heads that have passed.
    passed: AtomicU32,
    /// Requests that hyper has brought to the service.
    begun: AtomicU32,
    /// Requests whose response hyper has taken to its end.
    answered: AtomicU32,
    /// The last request that passed may turn the connection into something other than HTTP.
    undecided: AtomicBool,
    /// Whether it did: one of the constants below.
    decision: AtomicU8,
    /// Why nothing passes any more.
    stopped: OnceLock<Stop>,
    /// The connection's task, while the gate waits for answers; and whether it does.
    waiting: Mutex<Option<Waker>>,
    waits: AtomicBool,
}

const OPEN: u8 = 0;
const STAYS: u8 = 1;
const LEAVES: u8 = 2;

/// Which request of its connection one is; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(u32);

impl Passage {
    /// The gate let heads pass; of the last of them the answer may decide on what follows.
    pub fn pass(&self, heads: u32, undecided: bool) {
        self.passed.store(self.passed.load(Ordering::Relaxed) + heads, Ordering::Relaxed);
        self.undecided.store(undecided, Ordering::Relaxed);
    }

    /// Nothing will pass any more.
    pub fn stop(&self, stop: Stop) {
        // The first reason is the one that counts.
        let _ = self.stopped.set(stop);
    }

    /// Requests that have passed and are not answered.
    pub fn unanswered(&self) -> u32 {
        self.passed.load(Ordering::Relaxed).saturating_sub(self.answered.load(Ordering::Relaxed))
    }

    /// What was decided since the last call: whether the connection leaves HTTP.
    pub fn take_decision(&self) -> Option<bool> {
        let decision = self.decision.load(Ordering::Relaxed);
        if decision == OPEN {
            return None;
        }
        self.decision.store(OPEN, Ordering::Relaxed);
        Some(decision == LEAVES)
    }

    /// The gate waits for answers; its task is woken by the next one.
    pub fn wait(&self, task: &Waker) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.clone());
        self.waits.store(true, Ordering::Relaxed);
    }

    fn wake(&self) {
        if !self.waits.load(Ordering::Relaxed) {
            return;
        }
        self.waits.store(false, Ordering::Relaxed);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = waiting {
            task.wake();
        }
    }

    /// hyper brings a request. `Err` if it stands for one that did not pass the gate.
    pub fn begin(&self) -> Result<Number, Refusal> {
        let number = self.begun.load(Ordering::Relaxed) + 1;
        self.begun.store(number, Ordering::Relaxed);
        match self.stopped.get() {
            Some(Stop::RefusedHead(refusal)) if number > self.passed.load(Ordering::Relaxed) => Err(*refusal),
            _ => Ok(Number(number)),
        }
    }

    /// Why the body of a request is refused, if it is.
    pub fn refused_body(&self, number: Number) -> Option<Refusal> {
        match self.stopped.get() {
            Some(Stop::RefusedBody(refusal)) if self.is_last(number) => Some(*refusal),
            _ => None,
        }
    }

    /// The answer to a request is known, and whether with it the connection leaves HTTP.
    pub fn decide(&self, number: Number, leaves_http: bool) {
        if self.is_last(number) && self.undecided.load(Ordering::Relaxed) {
            self.decision.store(if leaves_http { LEAVES } else { STAYS }, Ordering::Relaxed);
            self.wake();
        }
    }

    fn is_last(&self, number: Number) -> bool {
        number.0 == self.passed.load(Ordering::Relaxed)
    }

    /// hyper is done with a response.
    pub fn answered(&self) {
        self.answered.store(self.answered.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.wake();
    }
}
