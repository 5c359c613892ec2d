//! What a pool hands out. Each gives itself back when it is dropped, so a request may be cancelled anywhere.
//!
//! A connection holds a [`Slot`] from before it is dialled until it is gone; a request holds a lease of it.

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::time::Instant;

use super::connection::{Exclusive, Shared};
use super::destination::Origin;
use super::failure::{Failure, Fault, Phase};
use super::pool::Pool;

/// One connection's share of what the pool may hold.
pub struct Slot {
    pool: Weak<Pool>,
    pub origin: Origin,
    dials: Cell<bool>,
}

impl Slot {
    /// For a connection that is going to be made.
    pub fn new(pool: &Rc<Pool>, origin: Origin) -> Self {
        Self { pool: Rc::downgrade(pool), origin, dials: Cell::new(true) }
    }

    /// The connection is there, and shared or not.
    pub fn connected(&self, shares: bool) {
        let Some(pool) = self.pool.upgrade() else { return };
        self.dials.set(false);
        pool.slot_connected(&self.origin, shares);
    }

    pub fn pool(&self) -> Weak<Pool> {
        self.pool.clone()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.slot_freed(&self.origin, self.dials.get());
        }
    }
}

/// A connection in the hands of one request. Dropped before the end of its exchange, it is closed.
pub struct ExclusiveLease {
    connection: Option<Exclusive>,
    pool: Weak<Pool>,
}

impl ExclusiveLease {
    pub fn new(pool: &Rc<Pool>, connection: Exclusive) -> Self {
        Self { connection: Some(connection), pool: Rc::downgrade(pool) }
    }

    pub fn connection(&mut self) -> Option<&mut Exclusive> {
        self.connection.as_mut()
    }

    /// How much is left of the body that comes over it, where that is known.
    pub fn known_length(&self) -> Option<u64> {
        self.connection.as_ref()?.http1.length()
    }

    /// Puts the next bytes of that body where they are to lie.
    pub fn poll_into(&mut self, cx: &mut Context<'_>, room: &mut dyn BufMut) -> Poll<Result<usize, Failure>> {
        match &mut self.connection {
            Some(connection) => connection.http1.poll_into(cx, room),
            None => Poll::Ready(Err(Failure::new(Phase::Read, Fault::Closed, "the connection is gone"))),
        }
    }

    /// Without the lease.
    pub fn into_connection(mut self) -> Option<Exclusive> {
        self.connection.take()
    }
}

impl Drop for ExclusiveLease {
    /// One on which no exchange is under way is as good as new.
    fn drop(&mut self) {
        if let (Some(connection), Some(pool)) = (self.connection.take(), self.pool.upgrade())
            && !connection.is_at_work.get()
        {
            pool.release(connection);
        }
    }
}

/// One request's place on a shared connection.
pub struct SharedLease {
    pub shared: Rc<Shared>,
    pool: Weak<Pool>,
}

impl SharedLease {
    pub fn new(pool: &Rc<Pool>, shared: Rc<Shared>) -> Self {
        shared.active.set(shared.active.get() + 1);
        pool.streams.set(pool.streams.get() + 1);
        Self { shared, pool: Rc::downgrade(pool) }
    }
}

impl Drop for SharedLease {
    fn drop(&mut self) {
        self.shared.active.set(self.shared.active.get().saturating_sub(1));
        self.shared.unused_since.set(Instant::now());
        if let Some(pool) = self.pool.upgrade() {
            pool.streams.set(pool.streams.get().saturating_sub(1));
            pool.serve(&self.shared.slot.origin);
        }
    }
}
