//! Clients that are sent the same: WebSockets of a room, streams of a channel.
//!
//! A message is put into its frame once. Each follower's task finds it in its queue and writes it, as it
//! writes what its own application sends. A follower whose connection ends is no follower any more, and
//! whoever brought it is told so.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use hoop_net::SharedMessage;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::conversation::follower_of;
use super::message::bytes_of;
use crate::gil_cell::GilCell;

/// What came of a message for one follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It will be sent.
    Taken,
    /// Too much waits for this one already.
    Full,
    /// Its connection has ended, or its application has ended what it had to say.
    Gone,
}

/// One of many that are sent the same.
pub trait Follower: Send + Sync {
    /// Takes a message, unless more than `limit` bytes wait. It runs no Python code.
    fn offer(&self, py: Python<'_>, message: &SharedMessage, limit: usize) -> Delivery;

    /// Whether more than `limit` bytes wait.
    fn is_behind(&self, py: Python<'_>, limit: usize) -> bool;

    /// A future that is done once nothing waits any more; None if nothing does.
    fn caught_up(self: Arc<Self>, py: Python<'_>) -> PyResult<Option<Py<PyAny>>>;

    /// It follows now.
    fn joined(self: Arc<Self>, _py: Python<'_>) {}

    /// Ends it over its slowness.
    fn dismiss(&self, py: Python<'_>, code: u16, reason: &str);

    fn memberships(&self) -> &Memberships;
}

/// Where somebody follows.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "nearly all follow nothing, and a pointer is all that costs them")]
pub struct Memberships(GilCell<Option<Box<Vec<Membership>>>>);

type Membership = (Weak<Members>, u64);

impl Memberships {
    fn add(&self, py: Python<'_>, members: &Arc<Members>, ticket: u64) {
        let mut all = self.0.borrow_mut(py);
        let all = all.get_or_insert_default();
        all.retain(|(members, _)| members.strong_count() > 0);
        all.push((Arc::downgrade(members), ticket));
    }

    fn remove(&self, py: Python<'_>, ticket: u64, of: &Arc<Members>) {
        if let Some(all) = &mut *self.0.borrow_mut(py) {
            all.retain(|(members, each)| *each != ticket || members.as_ptr() != Arc::as_ptr(of));
        }
    }

    /// Leaves them all, for good; whoever brought it there is told.
    pub fn end(&self, py: Python<'_>) {
        for (members, ticket) in self.0.take(py).into_iter().flat_map(|all| *all) {
            if let Some(members) = members.upgrade() {
                members.lost(py, ticket);
            }
        }
    }
}

struct Member {
    follower: Arc<dyn Follower>,
    /// Called once, if it is the engine that ends it.
    left: Py<PyAny>,
}

#[derive(Default)]
struct Register {
    members: BTreeMap<u64, Member>,
    last: u64,
}

#[derive(Default)]
struct Members(GilCell<Register>);

impl Members {
    fn take(&self, py: Python<'_>, ticket: u64) -> Option<Member> {
        self.0.borrow_mut(py).members.remove(&ticket)
    }

    fn lost(&self, py: Python<'_>, ticket: u64) {
        if let Some(member) = self.take(py, ticket)
            && let Err(error) = member.left.call0(py)
        {
            error.write_unraisable(py, Some(member.left.bind(py)));
        }
    }

    fn follower(&self, py: Python<'_>, ticket: u64) -> Option<Arc<dyn Follower>> {
        self.0.borrow(py).members.get(&ticket).map(|member| member.follower.clone())
    }
}

/// The followers of one room or channel, as far as they are this server's.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Audience {
    members: Arc<Members>,
    limit: usize,
}

#[pymethods]
impl Audience {
    #[new]
    fn new(limit: usize) -> Self {
        Self { members: Arc::default(), limit }
    }

    fn join(&self, send: &Bound<'_, PyAny>, left: Py<PyAny>) -> Option<u64> {
        let py = send.py();
        let follower = follower_of(send)?;
        let ticket = {
            let mut register = self.members.0.borrow_mut(py);
            register.last += 1;
            let ticket = register.last;
            register.members.insert(ticket, Member { follower: follower.clone(), left });
            ticket
        };
        follower.memberships().add(py, &self.members, ticket);
        follower.joined(py);
        Some(ticket)
    }

    fn leave(&self, py: Python<'_>, ticket: u64) {
        if let Some(member) = self.members.take(py, ticket) {
            member.follower.memberships().remove(py, ticket, &self.members);
        }
    }

    fn tell(&self, message: &Bound<'_, PyAny>) -> PyResult<(usize, Vec<u64>)> {
        let py = message.py();
        let shared = if let Ok(text) = message.cast::<PyString>() {
            SharedMessage::text(text.to_str()?.to_owned())
        } else if message.is_instance_of::<PyBytes>() {
            SharedMessage::binary(bytes_of(message, "what all are sent")?)
        } else {
            return Err(PyTypeError::new_err("what all are sent is a str or bytes"));
        };
        let (mut taken, mut full, mut gone) = (0, Vec::new(), Vec::new());
        for (ticket, member) in &self.members.0.borrow(py).members {
            match member.follower.offer(py, &shared, self.limit) {
                Delivery::Taken => taken += 1,
                Delivery::Full => full.push(*ticket),
                Delivery::Gone => gone.push(*ticket),
            }
        }
        for ticket in gone {
            self.members.lost(py, ticket);
        }
        Ok((taken, full))
    }

    fn behind(&self, py: Python<'_>) -> Vec<u64> {
        let register = self.members.0.borrow(py);
        let behind = register.members.iter().filter(|(_, each)| each.follower.is_behind(py, self.limit));
        behind.map(|(ticket, _)| *ticket).collect()
    }

    fn caught_up(&self, py: Python<'_>, ticket: u64) -> PyResult<Option<Py<PyAny>>> {
        self.members.follower(py, ticket).map_or(Ok(None), |follower| follower.caught_up(py))
    }

    fn dismiss(&self, py: Python<'_>, ticket: u64, code: u16, reason: &str) {
        if let Some(follower) = self.members.follower(py, ticket) {
            follower.dismiss(py, code, reason);
        }
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.members.0.borrow(py).members.len()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(register) = self.members.0.for_collector() {
            for member in register.members.values() {
                visit.call(&member.left)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.members.0.take(py));
    }
}
