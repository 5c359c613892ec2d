//! What the two ends of an HTTP/1 connection tell each other: the gate under hyper, the service above.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;

use hoop_http1::{Position, Refusal, Stop};
use hoop_limits::{Overdue, Sight, Stage};

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
    /// What the next byte belongs to: one of the constants below; and whether hyper waits for it.
    stage: AtomicU8,
    awaited: AtomicBool,
    received: AtomicU64,
    sent: AtomicU64,
    /// The client does not take what is to be sent.
    blocked: AtomicBool,
    /// Bodies of which something waits to be taken; HTTP/2 alone counts them.
    bodies_waiting: AtomicU32,
    /// WebSockets among its streams, or that are to be; HTTP/2 alone counts them.
    websockets: AtomicU32,
    /// The request at hand waits for its turn.
    queued: AtomicBool,
    /// The client has ended its side, and nobody was told.
    half_closed: AtomicBool,
    /// The client is late with what it sends: one of the constants below.
    late: AtomicU8,
    /// How the connection is to end, before its client ends it: one of the constants below.
    ending: AtomicU8,
    /// It has nothing to do, so that it may give back what it does it with: one of the constants below.
    rest: AtomicU8,
}

const OPEN: u8 = 0;
const STAYS: u8 = 1;
const LEAVES: u8 = 2;

const BETWEEN: u8 = 0;
const HEAD: u8 = 1;
const BODY: u8 = 2;
const LEFT: u8 = 3;

const PUNCTUAL: u8 = 0;
const LATE_HEAD: u8 = 1;
const LATE_BODY: u8 = 2;

const STAYS_OPEN: u8 = 0;
const CLOSES: u8 = 1;
const DROPS: u8 = 2;

const AWAKE: u8 = 0;
const TIRED: u8 = 1;
const ASLEEP: u8 = 2;

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In order, once what is at work is done.
    Close,
    /// At once: its client takes nothing more.
    Drop,
}

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

    /// So much was read, and this is what comes next: something is held, and hyper waits for it.
    pub fn read(&self, bytes: usize, position: Position, holds: bool, awaited: bool) {
        if bytes > 0 {
            self.received.store(self.received.load(Ordering::Relaxed) + bytes as u64, Ordering::Relaxed);
        }
        self.awaited.store(awaited, Ordering::Relaxed);
        let stage = match position {
            Position::Head if holds => HEAD,
            Position::Head | Position::Undecided | Position::Refused => BETWEEN,
            Position::Body => BODY,
            Position::Other => LEFT,
        };
        self.stage.store(stage, Ordering::Relaxed);
    }

    /// The request at hand begins to wait for its turn, or has waited.
    pub fn queue(&self, waits: bool) {
        self.queued.store(waits, Ordering::Relaxed);
    }

    /// Whether a request waits for its turn.
    pub fn is_queued(&self) -> bool {
        self.queued.load(Ordering::Relaxed)
    }

    /// The client has ended its side, and waits for its answers.
    pub fn half_close(&self) {
        self.half_closed.store(true, Ordering::Relaxed);
    }

    /// Whether it did since the last call.
    pub fn take_half_closed(&self) -> bool {
        self.half_closed.load(Ordering::Relaxed) && self.half_closed.swap(false, Ordering::Relaxed)
    }

    /// The client has taken so much in all, and whether it takes no more.
    pub fn written(&self, sent: u64, blocked: bool) {
        self.sent.store(sent, Ordering::Relaxed);
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Of one more body something waits for the client, or of one fewer.
    pub fn body_waits(&self, waits: bool) {
        let waiting = self.bodies_waiting.load(Ordering::Relaxed);
        let waiting = if waits { waiting + 1 } else { waiting.saturating_sub(1) };
        self.bodies_waiting.store(waiting, Ordering::Relaxed);
    }

    /// Whether something is to be sent that the client does not take.
    fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed) || self.bodies_waiting.load(Ordering::Relaxed) > 0
    }

    /// One of the connection's streams is to be a WebSocket, for as long as the result lives: it is not
    /// judged by its requests then.
    pub fn carries_websocket(self: &Arc<Self>) -> CarriedWebSocket {
        self.websockets.store(self.websockets.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        CarriedWebSocket(self.clone())
    }

    /// What the connection looks like.
    pub fn sight(&self) -> Sight {
        Sight {
            requests: self.passed.load(Ordering::Relaxed),
            unanswered: self.unanswered(),
            stage: match self.stage.load(Ordering::Relaxed) {
                _ if self.websockets.load(Ordering::Relaxed) > 0 => Stage::Left,
                BETWEEN => Stage::Between,
                HEAD => Stage::Head,
                BODY => Stage::Body,
                _ => Stage::Left,
            },
            awaited: self.awaited.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            blocked: self.is_blocked(),
        }
    }

    /// How many requests have come.
    pub fn requests(&self) -> u32 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Whether a request has come at all.
    pub fn has_served(&self) -> bool {
        self.passed.load(Ordering::Relaxed) > 0
    }

    /// Whether nothing is asked, answered or on its way.
    pub fn is_idle(&self) -> bool {
        self.unanswered() == 0
            && self.websockets.load(Ordering::Relaxed) == 0
            && self.stage.load(Ordering::Relaxed) == BETWEEN
            && !self.is_blocked()
            && self.stopped.get().is_none()
    }

    /// The connection has been quiet for a while; whether its task is to be woken to go to rest.
    pub fn tire(&self) -> bool {
        let tires = self.rest.load(Ordering::Relaxed) == AWAKE && self.is_idle() && self.has_served();
        if tires {
            self.rest.store(TIRED, Ordering::Relaxed);
        }
        tires
    }

    /// Whether it goes to rest now: it was told that it may, and there is still nothing to do.
    pub fn goes_to_rest(&self) -> bool {
        if self.rest.load(Ordering::Relaxed) != TIRED {
            return false;
        }
        let rests = self.is_idle();
        self.rest.store(if rests { ASLEEP } else { AWAKE }, Ordering::Relaxed);
        rests
    }

    /// There is something to do again.
    pub fn awakes(&self) {
        self.rest.store(AWAKE, Ordering::Relaxed);
    }

    /// Something takes too long.
    pub fn tell(&self, overdue: Overdue) {
        match overdue {
            Overdue::Head => self.late.store(LATE_HEAD, Ordering::Relaxed),
            Overdue::Body => self.late.store(LATE_BODY, Ordering::Relaxed),
            Overdue::Idle => self.ask_to_leave(),
            Overdue::Stall => self.ending.store(DROPS, Ordering::Relaxed),
        }
    }

    /// The connection is to end in order, unless it is to end at once.
    pub fn ask_to_leave(&self) {
        if self.ending.load(Ordering::Relaxed) == STAYS_OPEN {
            self.ending.store(CLOSES, Ordering::Relaxed);
        }
    }

    /// How the connection is to end, if that was said.
    pub fn ending(&self) -> Option<Ending> {
        match self.ending.load(Ordering::Relaxed) {
            STAYS_OPEN => None,
            CLOSES => Some(Ending::Close),
            _ => Some(Ending::Drop),
        }
    }

    /// What the client was found late with since the last call, if it still is.
    pub fn take_late(&self, position: Position, holds: bool) -> Option<Refusal> {
        let late = self.late.load(Ordering::Relaxed);
        if late == PUNCTUAL {
            return None;
        }
        self.late.store(PUNCTUAL, Ordering::Relaxed);
        match (late, position) {
            (LATE_HEAD, Position::Head) if holds => Some(Refusal::HeadTimeout),
            (LATE_BODY, Position::Body) => Some(Refusal::BodyTimeout),
            _ => None,
        }
    }
}

/// Counts as a WebSocket of its connection for as long as it lives.
#[derive(Debug)]
pub struct CarriedWebSocket(Arc<Passage>);

impl Drop for CarriedWebSocket {
    fn drop(&mut self) {
        let carried = self.0.websockets.load(Ordering::Relaxed);
        self.0.websockets.store(carried.saturating_sub(1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_rests_once_it_was_asked_for_something_and_is_idle() {
        let passage = Passage::default();
        assert!(!passage.tire(), "it has not served anything");
        passage.pass(1, false);
        assert!(!passage.tire(), "it is at work");
        passage.answered();
        assert!(!passage.goes_to_rest(), "nobody has said that it may");
        assert!(passage.tire() && !passage.tire(), "it is told once");
        assert!(passage.goes_to_rest() && !passage.goes_to_rest());
        assert!(!passage.tire(), "it rests");
        passage.awakes();
        assert!(passage.tire());
        passage.pass(1, false);
        assert!(!passage.goes_to_rest(), "a request has come in between");
        passage.answered();
        assert!(!passage.goes_to_rest() && passage.tire(), "it is to be told again");
    }
}
