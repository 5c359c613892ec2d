//! The end of a server: connections learn that it stops, and whoever stops it learns that they are gone.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    #[default]
    Serving,
    /// Nothing more is accepted; connections that wait for a request may still send one.
    Leaving,
    Draining,
    Closing,
}

#[derive(Debug, Default)]
struct Shared {
    phase: Cell<Phase>,
    /// How many connections there have been; the number of each is its key below.
    opened: Cell<u64>,
    open: Cell<usize>,
    /// Listeners that are accepted from.
    listening: Cell<usize>,
    /// The tasks of open connections, to be woken when the phase changes.
    tasks: RefCell<HashMap<u64, Waker>>,
    begun: Notify,
    none_listening: Notify,
    none_open: Notify,
    one_closed: Notify,
}

/// Ends a server: gracefully at first, then for good.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Rc<Shared>);

impl Shutdown {
    /// Stops accepting. Each connection ends with its next answer; one that waits for a request goes on
    /// waiting until `drain`.
    pub fn leave(&self) {
        if self.0.phase.get() == Phase::Serving {
            self.enter(Phase::Leaving);
        }
    }

    /// Stops accepting; idle connections close, busy ones finish the request they are at.
    pub fn drain(&self) {
        if matches!(self.0.phase.get(), Phase::Serving | Phase::Leaving) {
            self.enter(Phase::Draining);
        }
    }

    /// Whether the server has begun to stop.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.phase.get() != Phase::Serving
    }

    /// Drops every connection.
    pub fn close(&self) {
        self.enter(Phase::Closing);
    }

    fn enter(&self, phase: Phase) {
        self.0.phase.set(phase);
        self.0.begun.notify_waiters();
        let tasks: Vec<Waker> = self.0.tasks.borrow().values().cloned().collect();
        for task in tasks {
            task.wake();
        }
    }

    /// Waits until the server begins to stop.
    pub(crate) async fn begun(&self) {
        while self.0.phase.get() == Phase::Serving {
            self.0.begun.notified().await;
        }
    }

    /// Counts one more connection; a WebSocket takes its own, as the connection's task ends with its handshake.
    pub fn opened(&self) -> OpenConnection {
        self.0.open.set(self.0.open.get() + 1);
        let number = self.0.opened.get();
        self.0.opened.set(number + 1);
        OpenConnection { shutdown: self.clone(), number, remembered: Cell::new(false) }
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.0.open.get()
    }

    /// Waits until a connection closes.
    pub(crate) async fn closed(&self) {
        self.0.one_closed.notified().await;
    }

    /// Counts one more listener, for as long as the result lives.
    pub(crate) fn listens(&self) -> Listening {
        self.0.listening.set(self.0.listening.get() + 1);
        Listening(self.clone())
    }

    /// Waits until no listener is accepted from any more.
    pub async fn listeners_closed(&self) {
        while self.0.listening.get() > 0 {
            self.0.none_listening.notified().await;
        }
    }

    /// Waits until no connection is open.
    pub async fn drained(&self) {
        while self.0.open.get() > 0 {
            self.0.none_open.notified().await;
        }
    }
}

/// Counts as a listener for as long as it lives.
#[derive(Debug)]
pub struct Listening(Shutdown);

impl Drop for Listening {
    fn drop(&mut self) {
        let shared = &self.0.0;
        shared.listening.set(shared.listening.get() - 1);
        shared.none_listening.notify_waiters();
    }
}

/// Counts as an open connection for as long as it lives.
#[derive(Debug)]
pub struct OpenConnection {
    shutdown: Shutdown,
    number: u64,
    remembered: Cell<bool>,
}

impl OpenConnection {
    pub(crate) fn phase(&self) -> Phase {
        self.shutdown.0.phase.get()
    }

    /// The server that it counts for.
    pub(crate) fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Drives `work`, but gives it up where it would have to wait and the server stops.
    pub(crate) async fn unless_stopping<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.remember(cx.waker());
            match work.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if matches!(self.phase(), Phase::Serving | Phase::Leaving) => Poll::Pending,
                Poll::Pending => Poll::Ready(None),
            }
        })
        .await
    }

    /// The task to wake when the phase changes. A tokio task keeps its waker, so once is enough.
    pub(crate) fn remember(&self, task: &Waker) {
        if !self.remembered.replace(true) {
            self.shutdown.0.tasks.borrow_mut().insert(self.number, task.clone());
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let shared = &self.shutdown.0;
        let task = shared.tasks.borrow_mut().remove(&self.number);
        drop(task);
        shared.open.set(shared.open.get() - 1);
        shared.one_closed.notify_waiters();
        if shared.open.get() == 0 {
            shared.none_open.notify_waiters();
        }
    }
}
