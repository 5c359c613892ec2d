//! Which connection a request gets: one that is free, one that it shares, a new one, or its turn in the queue.
//!
//! All that is handed out gives itself back (`lease`). Who waits is served in the order of arrival: among those
//! of one origin, and, where the total is what is short, among all.
//!
//! Nothing is dropped while the state is borrowed: what is dropped comes back to the state.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connection::{Exclusive, Shared};
use super::destination::Origin;
use super::lease::{ExclusiveLease, SharedLease, Slot};

/// What a pool may hold.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Connections, of all origins.
    pub total: usize,
    /// Connections of one origin.
    pub per_origin: usize,
    /// Connections that are kept while nobody uses them.
    pub idle: usize,
    /// How long they are kept.
    pub idle_for: Duration,
    /// Requests that share an HTTP/2 connection.
    pub streams: usize,
}

/// What a pool has done, and has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolCounters {
    /// Connections that were made.
    pub opened: u64,
    /// Requests that got a connection which had served before.
    pub reused: u64,
    /// Connections that are there, those being made included.
    pub open: usize,
    /// Those of them that nobody uses.
    pub idle: usize,
    /// Requests on connections that are shared.
    pub streams: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
}

/// What a request is given.
pub enum Grant {
    /// A connection for itself.
    Exclusive(ExclusiveLease),
    /// A place on one that others use too.
    Shared(SharedLease),
    /// The right to make one.
    Slot(Slot),
}

#[derive(Default)]
struct Host {
    open: usize,
    dialing: usize,
    /// Whether its connections are shared; nobody knows before the first.
    shares: Option<bool>,
    /// The last to be used is the first to be used again.
    idle: VecDeque<(u64, Exclusive)>,
    shared: Vec<Rc<Shared>>,
    waiting: BTreeMap<u64, oneshot::Sender<Grant>>,
}

#[derive(Default)]
struct State {
    hosts: HashMap<Origin, Host>,
    open: usize,
    tickets: u64,
    /// Who waits and could have a slot of its origin's.
    in_want: BTreeMap<u64, Origin>,
    /// The free connections, the longest unused first.
    idle: BTreeMap<u64, Origin>,
}

/// All connections of a client.
pub struct Pool {
    limits: PoolLimits,
    protocols: Protocols,
    state: RefCell<State>,
    opened: Cell<u64>,
    reused: Cell<u64>,
    pub(super) streams: Cell<usize>,
    /// Nothing is kept any more.
    is_closed: Cell<bool>,
    /// Who is woken when a free connection ends.
    keeper: RefCell<Waker>,
}

/// What the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/1.1.
    pub http1: bool,
    /// HTTP/2; without HTTP/1.1 also where there is no TLS to agree on it.
    pub http2: bool,
}

impl Protocols {
    /// Whether connections to an origin may turn out to speak HTTP/2.
    pub fn may_share(self, origin: &Origin) -> bool {
        self.http2 && !origin.forwards() && (origin.secure || !self.http1)
    }
}

impl Host {
    fn room(&self) -> Option<Rc<Shared>> {
        self.shared.iter().find(|shared| shared.has_room()).cloned()
    }

    /// Whether one more connection may be made for it, as far as it goes.
    fn may_dial(&self, limits: &PoolLimits, may_share: bool) -> bool {
        // Where connections are shared, or might be, one that is being made may do for all who wait.
        self.open < limits.per_origin && (self.dialing == 0 || self.shares == Some(false) || !may_share)
    }

    fn is_unused(&self) -> bool {
        self.open == 0 && self.waiting.is_empty() && self.idle.is_empty()
    }
}

impl Pool {
    pub fn new(limits: PoolLimits, protocols: Protocols) -> Rc<Self> {
        Rc::new(Self {
            limits,
            protocols,
            state: RefCell::default(),
            opened: Cell::default(),
            reused: Cell::default(),
            streams: Cell::default(),
            is_closed: Cell::default(),
            keeper: RefCell::new(Waker::noop().clone()),
        })
    }

    pub fn limits(&self) -> &PoolLimits {
        &self.limits
    }

    /// How the pool is doing.
    pub fn counters(&self) -> PoolCounters {
        let state = self.state.borrow();
        PoolCounters {
            opened: self.opened.get(),
            reused: self.reused.get(),
            open: state.open,
            idle: state.idle.len()
                + state
                    .hosts
                    .values()
                    .flat_map(|host| &host.shared)
                    .filter(|shared| shared.active.get() == 0)
                    .count(),
            streams: self.streams.get(),
            waiting: state.hosts.values().map(|host| host.waiting.len()).sum(),
        }
    }

    /// A connection, or the right to make one, when it is this request's turn.
    pub async fn acquire(self: &Rc<Self>, origin: &Origin) -> Grant {
        loop {
            let (ticket, turn) = match self.at_once(origin) {
                Ok(grant) => return grant,
                Err(queued) => queued,
            };
            let _place = Place { pool: self, origin, ticket };
            // The sender is dropped only with the pool, which this holds.
            if let Ok(grant) = turn.await {
                return grant;
            }
        }
    }

    /// A place in the queue if there is nothing to be had now.
    fn at_once(self: &Rc<Self>, origin: &Origin) -> Result<Grant, (u64, oneshot::Receiver<Grant>)> {
        loop {
            let mut dropped = Vec::new();
            let outcome = {
                let mut state = self.state.borrow_mut();
                self.look(&mut state, origin, &mut dropped)
            };
            if !dropped.is_empty() {
                // Their slots come back, and there is more to be had.
                continue;
            }
            return match outcome {
                Some(grant) => Ok(grant),
                None => Err(self.queue(origin)),
            };
        }
    }

    fn look(
        self: &Rc<Self>,
        state: &mut State,
        origin: &Origin,
        dropped: &mut Vec<Exclusive>,
    ) -> Option<Grant> {
        let Some(host) = state.hosts.get_mut(origin) else {
            state.hosts.insert(origin.clone(), Host::default());
            return self.look(state, origin, dropped);
        };
        if !host.waiting.is_empty() {
            return None;
        }
        if let Some(shared) = host.room() {
            self.reused.set(self.reused.get() + 1);
            return Some(Grant::Shared(SharedLease::new(self, shared)));
        }
        while let Some((number, mut connection)) = host.idle.pop_back() {
            state.idle.remove(&number);
            if connection.is_usable(&mut Context::from_waker(Waker::noop())) {
                self.reused.set(self.reused.get() + 1);
                return Some(Grant::Exclusive(ExclusiveLease::new(self, connection)));
            }
            dropped.push(connection);
        }
        if !dropped.is_empty() || !host.may_dial(&self.limits, self.protocols.may_share(origin)) {
            return None;
        }
        if state.open >= self.limits.total {
            if state.in_want.is_empty() {
                dropped.extend(take_oldest(state));
            }
            return None;
        }
        if !state.in_want.is_empty() {
            return None;
        }
        self.slot(state, origin).map(Grant::Slot)
    }

    /// Takes a slot for a connection that is going to be made.
    fn slot(self: &Rc<Self>, state: &mut State, origin: &Origin) -> Option<Slot> {
        let host = state.hosts.get_mut(origin)?;
        host.open += 1;
        host.dialing += 1;
        state.open += 1;
        Some(Slot::new(self, origin.clone()))
    }

    fn queue(&self, origin: &Origin) -> (u64, oneshot::Receiver<Grant>) {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.borrow_mut();
        state.tickets += 1;
        let ticket = state.tickets;
        let may_share = self.protocols.may_share(origin);
        let host = state.hosts.entry(origin.clone()).or_default();
        host.waiting.insert(ticket, sender);
        if host.may_dial(&self.limits, may_share) {
            state.in_want.insert(ticket, origin.clone());
        }
        (ticket, receiver)
    }

    /// Gives what there is to those who wait.
    pub(super) fn serve(self: &Rc<Self>, origin: &Origin) {
        while self.serve_one(origin) {}
    }

    /// Whether somebody was served, or gave up; then there may be more to do.
    fn serve_one(self: &Rc<Self>, origin: &Origin) -> bool {
        let mut dropped = None;
        let served = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            self.offer_room(state, origin).or_else(|| self.offer_slot(state, origin, &mut dropped))
        };
        match served {
            Some((sender, grant)) => {
                // Who has given up meanwhile gives back what it was sent.
                drop(sender.send(grant));
                true
            }
            // A connection that nobody uses makes way, and its slot comes back.
            None => dropped.is_some(),
        }
    }

    /// A place on a shared connection for the first who waits for this origin.
    fn offer_room(
        self: &Rc<Self>,
        state: &mut State,
        origin: &Origin,
    ) -> Option<(oneshot::Sender<Grant>, Grant)> {
        let host = state.hosts.get_mut(origin)?;
        if host.waiting.is_empty() {
            return None;
        }
        let shared = host.room()?;
        let (ticket, sender) = host.waiting.pop_first()?;
        state.in_want.remove(&ticket);
        self.reused.set(self.reused.get() + 1);
        Some((sender, Grant::Shared(SharedLease::new(self, shared))))
    }

    /// A slot for whoever has waited longest of those that could have one.
    fn offer_slot(
        self: &Rc<Self>,
        state: &mut State,
        origin: &Origin,
        dropped: &mut Option<Exclusive>,
    ) -> Option<(oneshot::Sender<Grant>, Grant)> {
        let may_dial = |state: &State, origin: &Origin| {
            let may_share = self.protocols.may_share(origin);
            state.hosts.get(origin).is_some_and(|host| host.may_dial(&self.limits, may_share))
        };
        if may_dial(state, origin)
            && let Some(ticket) = state.hosts.get(origin).and_then(|host| host.waiting.keys().next()).copied()
        {
            state.in_want.insert(ticket, origin.clone());
        }
        loop {
            let (ticket, wanting) =
                state.in_want.first_key_value().map(|(ticket, it)| (*ticket, it.clone()))?;
            let waits = state.hosts.get(&wanting).is_some_and(|host| host.waiting.contains_key(&ticket));
            if !waits || !may_dial(state, &wanting) {
                // It is in want again once its origin has room.
                state.in_want.remove(&ticket);
                continue;
            }
            if state.open >= self.limits.total {
                *dropped = take_oldest(state);
                return None;
            }
            state.in_want.remove(&ticket);
            let sender = state.hosts.get_mut(&wanting)?.waiting.remove(&ticket)?;
            let slot = self.slot(state, &wanting)?;
            return Some((sender, Grant::Slot(slot)));
        }
    }

    /// Takes a connection back that can serve again.
    pub(super) fn release(self: &Rc<Self>, mut connection: Exclusive) {
        if !connection.is_open(&mut Context::from_waker(&self.keeper.borrow())) {
            return;
        }
        let origin = connection.slot.origin.clone();
        loop {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let Some(host) = state.hosts.get_mut(&origin) else { return };
            let first = host.waiting.keys().next().copied();
            let longest = state.in_want.keys().next().copied();
            let is_wanted_elsewhere = match (first, longest) {
                (None, Some(_)) => state.open >= self.limits.total,
                (Some(first), Some(longest)) => longest < first && state.open >= self.limits.total,
                _ => false,
            };
            if is_wanted_elsewhere {
                break;
            }
            let Some((ticket, sender)) = host.waiting.pop_first() else {
                if state.idle.len() < self.limits.idle && !self.is_closed.get() {
                    connection.http1.rest();
                    state.tickets += 1;
                    connection.unused_since = Instant::now();
                    host.idle.push_back((state.tickets, connection));
                    state.idle.insert(state.tickets, origin.clone());
                    return;
                }
                break;
            };
            state.in_want.remove(&ticket);
            let grant = Grant::Exclusive(ExclusiveLease::new(self, connection));
            match sender.send(grant) {
                Ok(()) => {
                    self.reused.set(self.reused.get() + 1);
                    return;
                }
                Err(Grant::Exclusive(lease)) => match lease.into_connection() {
                    Some(back) => connection = back,
                    None => return,
                },
                Err(_) => return,
            }
        }
        drop(connection);
    }

    /// A connection has been made that others may share.
    pub fn share(self: &Rc<Self>, shared: Rc<Shared>) -> SharedLease {
        let origin = shared.slot.origin.clone();
        let lease = SharedLease::new(self, shared.clone());
        if !self.is_closed.get()
            && let Some(host) = self.state.borrow_mut().hosts.get_mut(&origin)
        {
            host.shared.push(shared);
        }
        self.serve(&origin);
        lease
    }

    /// Drops shared connections of an origin that have ended by themselves.
    pub fn prune(self: &Rc<Self>, origin: &Origin) {
        self.drop_some(Some(origin), |_| false, |shared| shared.is_closed());
        self.serve(origin);
    }

    /// Drops free connections that have ended, and has `cx` woken when another does.
    pub fn watch(&self, cx: &mut Context<'_>) {
        self.keeper.borrow_mut().clone_from(cx.waker());
        self.drop_some(None, |connection| !connection.is_open(cx), |shared| shared.is_closed());
    }

    /// Whether there is no connection, not even one that is being made.
    pub fn is_empty(&self) -> bool {
        self.state.borrow().open == 0
    }

    /// Drops all free connections of an origin: one of them was dead.
    pub fn forget_idle(&self, origin: &Origin) {
        self.drop_some(Some(origin), |_| true, |shared| shared.is_closed());
    }

    /// Drops what has not been used for long.
    pub fn sweep(&self, now: Instant) {
        let limit = self.limits.idle_for;
        let is_old = |since: Instant| now.saturating_duration_since(since) >= limit;
        self.drop_some(
            None,
            |connection| is_old(connection.unused_since),
            |shared| shared.is_closed() || (shared.active.get() == 0 && is_old(shared.unused_since.get())),
        );
    }

    /// Drops all that nobody uses, and from now on keeps nothing.
    pub fn close(&self) {
        self.is_closed.set(true);
        self.drop_some(None, |_| true, |_| true);
    }

    fn drop_some(
        &self,
        only: Option<&Origin>,
        mut is_over: impl FnMut(&mut Exclusive) -> bool,
        is_shared_over: impl Fn(&Shared) -> bool,
    ) {
        let (mut dropped, mut let_go) = (Vec::new(), Vec::new());
        {
            let mut state = self.state.borrow_mut();
            let State { hosts, idle, .. } = &mut *state;
            let mut look_at = |host: &mut Host| {
                for (number, mut connection) in std::mem::take(&mut host.idle) {
                    if is_over(&mut connection) {
                        idle.remove(&number);
                        dropped.push(connection);
                    } else {
                        host.idle.push_back((number, connection));
                    }
                }
                let (over, kept) = std::mem::take(&mut host.shared)
                    .into_iter()
                    .partition::<Vec<_>, _>(|shared| is_shared_over(shared));
                host.shared = kept;
                let_go.extend(over);
            };
            match only {
                Some(origin) => {
                    hosts.get_mut(origin).map(&mut look_at);
                }
                None => hosts.values_mut().for_each(look_at),
            }
        }
        drop((dropped, let_go));
    }

    /// A connection has been made.
    pub(super) fn slot_connected(self: &Rc<Self>, origin: &Origin, shares: bool) {
        self.opened.set(self.opened.get() + 1);
        if let Some(host) = self.state.borrow_mut().hosts.get_mut(origin) {
            host.dialing = host.dialing.saturating_sub(1);
            host.shares = Some(shares);
        }
        if !shares {
            self.serve(origin);
        }
    }

    /// A connection is gone, or was not made.
    pub(super) fn slot_freed(self: &Rc<Self>, origin: &Origin, was_dialing: bool) {
        {
            let mut state = self.state.borrow_mut();
            state.open = state.open.saturating_sub(1);
            if let Some(host) = state.hosts.get_mut(origin) {
                host.open = host.open.saturating_sub(1);
                host.dialing = host.dialing.saturating_sub(usize::from(was_dialing));
                if host.is_unused() {
                    state.hosts.remove(origin);
                }
            }
        }
        self.serve(origin);
    }
}

/// Takes the free connection that was unused for longest.
fn take_oldest(state: &mut State) -> Option<Exclusive> {
    let (number, origin) = state.idle.pop_first()?;
    let host = state.hosts.get_mut(&origin)?;
    let at = host.idle.iter().position(|(known, _)| *known == number)?;
    host.idle.remove(at).map(|(_, connection)| connection)
}

/// A place in the queue.
struct Place<'a> {
    pool: &'a Rc<Pool>,
    origin: &'a Origin,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waited = {
            let mut state = self.pool.state.borrow_mut();
            state.in_want.remove(&self.ticket);
            state.hosts.get_mut(self.origin).and_then(|host| host.waiting.remove(&self.ticket))
        };
        if waited.is_some() {
            // It may have been the one that stood before others.
            self.pool.serve(self.origin);
        }
    }
}
