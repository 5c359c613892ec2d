//! What a connection tells of itself, and is told: how far its requests are, and how it is to end.

use std::cell::Cell;
use std::rc::Rc;

use hoop_limits::{Overdue, Sight, Stage};

/// One connection, as whoever drives it, whoever answers on it and the limiter see it.
#[derive(Debug, Default)]
pub struct Passage {
    /// Requests that have come, by their heads.
    passed: Cell<u32>,
    /// Requests whose response was taken to its end.
    answered: Cell<u32>,
    /// What the next byte belongs to, and whether somebody waits for it.
    stage: Cell<Stage>,
    awaited: Cell<bool>,
    received: Cell<u64>,
    sent: Cell<u64>,
    /// The client does not take what is to be sent.
    blocked: Cell<bool>,
    /// Bodies of which something waits to be taken; HTTP/2 alone counts them.
    bodies_waiting: Cell<u32>,
    /// WebSockets among its streams, or that are to be; HTTP/2 alone counts them.
    websockets: Cell<u32>,
    /// The request at hand waits for its turn.
    queued: Cell<bool>,
    /// The client has ended its side, and nobody was told.
    half_closed: Cell<bool>,
    /// What the client is late with.
    late: Cell<Option<Late>>,
    /// How the connection is to end, before its client ends it.
    ending: Cell<Option<Ending>>,
    /// Nothing that the client sends is read any more: it was refused.
    stopped: Cell<bool>,
    rest: Cell<Rest>,
}

/// Whether a connection that has nothing to do has given back what it does it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Rest {
    #[default]
    Awake,
    /// It may.
    Tired,
    Asleep,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In order, once what is at work is done.
    Close,
    /// At once: its client takes nothing more.
    Drop,
}

/// What a client takes too long for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// A head that has begun.
    Head,
    /// A body.
    Body,
}

impl Passage {
    /// One more request has come.
    pub fn pass(&self) {
        self.passed.set(self.passed.get() + 1);
    }

    /// A request was refused, and nothing is read behind it.
    pub fn stop(&self) {
        self.stopped.set(true);
    }

    /// Requests that have passed and are not answered.
    pub fn unanswered(&self) -> u32 {
        self.passed.get().saturating_sub(self.answered.get())
    }

    /// A response was taken to its end.
    pub fn answered(&self) {
        self.answered.set(self.answered.get() + 1);
    }

    /// So much was read, and this is what comes next; somebody waits for it.
    pub fn read(&self, bytes: usize, next: Stage, awaited: bool) {
        if bytes > 0 {
            self.received.set(self.received.get() + bytes as u64);
        }
        self.awaited.set(awaited);
        self.stage.set(next);
    }

    /// The request at hand begins to wait for its turn, or has waited.
    pub fn queue(&self, waits: bool) {
        self.queued.set(waits);
    }

    /// Whether a request waits for its turn.
    pub fn is_queued(&self) -> bool {
        self.queued.get()
    }

    /// The client has ended its side, and waits for its answers.
    pub fn half_close(&self) {
        self.half_closed.set(true);
    }

    /// Whether it did since the last call.
    pub fn take_half_closed(&self) -> bool {
        self.half_closed.get() && self.half_closed.replace(false)
    }

    /// The client has taken so much in all, and whether it takes no more.
    pub fn written(&self, sent: u64, blocked: bool) {
        self.sent.set(sent);
        self.blocked.set(blocked);
    }

    /// Of one more body something waits for the client, or of one fewer.
    pub fn body_waits(&self, waits: bool) {
        let waiting = self.bodies_waiting.get();
        let waiting = if waits { waiting + 1 } else { waiting.saturating_sub(1) };
        self.bodies_waiting.set(waiting);
    }

    /// Whether something is to be sent that the client does not take.
    fn is_blocked(&self) -> bool {
        self.blocked.get() || self.bodies_waiting.get() > 0
    }

    /// One of the connection's streams is to be a WebSocket, for as long as the result lives: it is not
    /// judged by its requests then.
    pub fn carries_websocket(self: &Rc<Self>) -> CarriedWebSocket {
        self.websockets.set(self.websockets.get() + 1);
        CarriedWebSocket(self.clone())
    }

    /// What the connection looks like.
    pub fn sight(&self) -> Sight {
        Sight {
            requests: self.passed.get(),
            unanswered: self.unanswered(),
            stage: if self.websockets.get() > 0 { Stage::Left } else { self.stage.get() },
            awaited: self.awaited.get(),
            received: self.received.get(),
            sent: self.sent.get(),
            blocked: self.is_blocked(),
        }
    }

    /// How many requests have come.
    pub fn requests(&self) -> u32 {
        self.passed.get()
    }

    /// Whether a request has come at all.
    pub fn has_served(&self) -> bool {
        self.passed.get() > 0
    }

    /// Whether nothing is asked, answered or on its way.
    pub fn is_idle(&self) -> bool {
        self.unanswered() == 0
            && self.websockets.get() == 0
            && self.stage.get() == Stage::Between
            && !self.is_blocked()
            && !self.stopped.get()
    }

    /// The connection has been quiet for a while; whether its task is to be woken to go to rest.
    pub fn tire(&self) -> bool {
        let tires = self.rest.get() == Rest::Awake && self.is_idle() && self.has_served();
        if tires {
            self.rest.set(Rest::Tired);
        }
        tires
    }

    /// Whether it goes to rest now: it was told that it may, and there is still nothing to do.
    pub fn goes_to_rest(&self) -> bool {
        if self.rest.get() != Rest::Tired {
            return false;
        }
        let rests = self.is_idle();
        self.rest.set(if rests { Rest::Asleep } else { Rest::Awake });
        rests
    }

    /// There is something to do again.
    pub fn awakes(&self) {
        self.rest.set(Rest::Awake);
    }

    /// Something takes too long.
    pub fn tell(&self, overdue: Overdue) {
        match overdue {
            Overdue::Head => self.late.set(Some(Late::Head)),
            Overdue::Body => self.late.set(Some(Late::Body)),
            Overdue::Idle => self.ask_to_leave(),
            Overdue::Stall => self.ending.set(Some(Ending::Drop)),
        }
    }

    /// The connection is to end in order, unless it is to end at once.
    pub fn ask_to_leave(&self) {
        if self.ending.get().is_none() {
            self.ending.set(Some(Ending::Close));
        }
    }

    /// How the connection is to end, if that was said.
    pub fn ending(&self) -> Option<Ending> {
        self.ending.get()
    }

    /// What the client was found late with since the last call.
    pub fn take_late(&self) -> Option<Late> {
        self.late.take()
    }
}

/// Counts as a WebSocket of its connection for as long as it lives.
#[derive(Debug)]
pub struct CarriedWebSocket(Rc<Passage>);

impl Drop for CarriedWebSocket {
    fn drop(&mut self) {
        let carried = self.0.websockets.get();
        self.0.websockets.set(carried.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_rests_once_it_was_asked_for_something_and_is_idle() {
        let passage = Passage::default();
        assert!(!passage.tire(), "it has not served anything");
        passage.pass();
        assert!(!passage.tire(), "it is at work");
        passage.answered();
        assert!(!passage.goes_to_rest(), "nobody has said that it may");
        assert!(passage.tire() && !passage.tire(), "it is told once");
        assert!(passage.goes_to_rest() && !passage.goes_to_rest());
        assert!(!passage.tire(), "it rests");
        passage.awakes();
        assert!(passage.tire());
        passage.pass();
        assert!(!passage.goes_to_rest(), "a request has come in between");
        passage.answered();
        assert!(!passage.goes_to_rest() && passage.tire(), "it is to be told again");
    }
}
