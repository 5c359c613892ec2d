//! Holds a server's clients to its limits: one timer and one count for all connections.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use hoop_limits::{CoarseClock, Overdue, Pace};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::application::Application;
use crate::entrance::Entrance;
use crate::heap;
use crate::limits::Limits;
use crate::outbox::Outbox;
use crate::passage::Passage;
use crate::shutdown::Shutdown;
use crate::traffic::Traffic;

/// The timer's ticks, as a part of the shortest limit and within these bounds.
const TICKS_PER_LIMIT: u32 = 10;
const SHORTEST_TICK: Duration = Duration::from_millis(10);
const LONGEST_TICK: Duration = Duration::from_millis(500);

/// When so many have gone to rest, and no more go, what they had is given back to the system.
const CROWD: usize = 1000;

/// How long an idle connection that was asked to leave may take: HTTP/2 waits for its client's word.
const PATIENCE_WITH_LEAVING: Duration = Duration::from_secs(3);

/// So many idle connections are compared for the one that has been idle longest.
const COMPARED: usize = 32;

/// A connection that is watched.
struct Watched {
    passage: Rc<Passage>,
    pace: Pace,
    task: Option<Waker>,
    /// It was asked to leave.
    leaves: bool,
    /// When it was seen that its connection is to end.
    ending_since: Option<Duration>,
}

impl Watched {
    /// Drops a connection that was asked to leave, is idle, and is still there.
    fn insist(&mut self, now: Duration) {
        let since = *self.ending_since.get_or_insert(now);
        if now.saturating_sub(since) > PATIENCE_WITH_LEAVING {
            self.passage.tell(Overdue::Stall);
            if let Some(task) = &self.task {
                task.wake_by_ref();
            }
        }
    }
}

/// What a server counts and measures of its connections.
pub struct Limiter {
    limits: Limits,
    pub(crate) entrance: Entrance,
    /// Where short answers of its connections wait to be sent.
    pub(crate) outbox: Rc<Outbox>,
    tick: Duration,
    clock: Cell<CoarseClock>,
    began: Instant,
    keeps_time: Cell<bool>,
    watched: RefCell<Vec<Option<Watched>>>,
    /// Places in it that are free.
    free: RefCell<Vec<usize>>,
    /// Where the search for an idle connection goes on.
    cursor: Cell<usize>,
    /// Connections that were asked to leave and are still there.
    leaving: Cell<usize>,
    traffic: Rc<Traffic>,
    /// Connections that went to rest since memory was given back.
    rested: Cell<usize>,
    /// A new connection waits for one to leave.
    room_wanted: Cell<bool>,
    room: Notify,
    /// The first connection has come, or the last has gone.
    changed: Notify,
}

impl Limiter {
    /// Counts from nothing.
    pub fn new(limits: Limits) -> Rc<Self> {
        heap::keep_free(heap::FOR_SERVERS);
        let shortest = [limits.pace.shortest(), limits.answer].into_iter().flatten().min();
        let tick = shortest.map_or(LONGEST_TICK, |limit| limit / TICKS_PER_LIMIT);
        let tick = tick.clamp(SHORTEST_TICK, LONGEST_TICK);
        Rc::new(Self {
            entrance: Entrance::new(limits.concurrency, limits.queue),
            outbox: Rc::default(),
            limits,
            tick,
            clock: Cell::new(CoarseClock::new(tick, Duration::ZERO)),
            began: Instant::now(),
            keeps_time: Cell::new(false),
            watched: RefCell::default(),
            free: RefCell::default(),
            cursor: Cell::new(0),
            leaving: Cell::new(0),
            traffic: Rc::default(),
            rested: Cell::new(0),
            room_wanted: Cell::new(false),
            room: Notify::new(),
            changed: Notify::new(),
        })
    }

    /// Requests that are at work in the application, and those that wait for their turn.
    pub fn depth(&self) -> (usize, usize) {
        self.entrance.depth()
    }

    /// The bytes of all its connections.
    pub fn traffic(&self) -> &Rc<Traffic> {
        &self.traffic
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Looks at the connections now and then until the server has stopped and the last one has gone.
    pub(crate) async fn keep_time<A: Application>(self: Rc<Self>, application: Rc<A>, shutdown: Shutdown) {
        if self.keeps_time.replace(true) {
            return;
        }
        loop {
            if self.is_empty() {
                self.tell_overload(&*application);
                tokio::select! {
                    biased;
                    () = shutdown.begun() => return self.outbox.close(),
                    () = self.changed.notified() => self.advance(),
                };
            }
            tokio::select! {
                () = tokio::time::sleep(self.tick) => {}
                () = self.changed.notified() => {}
            }
            let now = self.advance();
            self.look(now);
            application.tick(now);
            self.tell_overload(&*application);
            if self.room_wanted.get() {
                // Each listener of a server may have one that waits.
                self.room.notify_waiters();
            }
        }
    }

    fn tell_overload<A: Application>(&self, application: &A) {
        let refused = self.entrance.take_refused();
        if refused > 0 {
            application.overloaded(refused);
        }
    }

    fn advance(&self) -> Duration {
        let mut clock = self.clock.get();
        let now = clock.advance(self.began.elapsed());
        self.clock.set(clock);
        now
    }

    fn is_empty(&self) -> bool {
        self.watched.borrow().len() == self.free.borrow().len()
    }

    /// Tells the connections that take too long, and those that may rest.
    fn look(&self, now: Duration) {
        let mut tired = 0;
        for watched in self.watched.borrow_mut().iter_mut().flatten() {
            if watched.passage.ending().is_some() && watched.passage.is_idle() {
                watched.insist(now);
            } else if let Some(overdue) = watched.pace.look(&watched.passage.sight(), &self.limits.pace, now)
            {
                watched.passage.tell(overdue);
                if let Some(task) = &watched.task {
                    task.wake_by_ref();
                }
            } else if watched.pace.is_quiet()
                && watched.passage.tire()
                && let Some(task) = &watched.task
            {
                tired += 1;
                task.wake_by_ref();
            }
        }
        self.rested.set(self.rested.get() + tired);
        if tired == 0 && self.rested.get() >= CROWD {
            self.rested.set(0);
            heap::give_back();
        }
    }

    /// Watches a connection for as long as the result lives.
    pub(crate) fn watch(self: &Rc<Self>) -> WatchedConnection {
        let passage = Rc::new(Passage::default());
        let watched = Some(Watched {
            passage: passage.clone(),
            pace: Pace::default(),
            task: None,
            leaves: false,
            ending_since: None,
        });
        let was_empty = self.is_empty();
        let mut all = self.watched.borrow_mut();
        let free = self.free.borrow_mut().pop();
        let place = match free.and_then(|place| all.get_mut(place).map(|slot| (place, slot))) {
            Some((place, slot)) => {
                *slot = watched;
                place
            }
            None => {
                all.push(watched);
                all.len() - 1
            }
        };
        if was_empty {
            self.changed.notify_one();
        }
        WatchedConnection { limiter: self.clone(), place, passage, remembered: Cell::new(false) }
    }

    /// Waits until one more connection may be open. Idle ones leave for it.
    pub(crate) async fn room(&self, shutdown: &Shutdown) {
        let Some(most) = self.limits.connections else { return };
        while shutdown.open_connections().saturating_sub(self.leaving.get()) >= most {
            if !self.evict_idle() {
                self.room_wanted.set(true);
                tokio::select! {
                    () = self.room.notified() => {}
                    () = shutdown.closed() => {}
                    () = shutdown.begun() => return,
                }
            }
        }
        self.room_wanted.set(false);
    }

    /// Asks an idle connection to leave, one that has been idle for long; whether there was one.
    pub(crate) fn evict_idle(&self) -> bool {
        let mut all = self.watched.borrow_mut();
        let length = all.len();
        let start = self.cursor.get().min(length);
        let (before, from) = all.split_at_mut(start);
        let idle = from.iter_mut().chain(before).enumerate().filter_map(|(index, slot)| {
            let watched = slot.as_mut()?;
            (!watched.leaves && watched.passage.is_idle()).then_some((index, watched))
        });
        let found =
            idle.take(COMPARED).min_by_key(|(_, watched)| watched.pace.since().unwrap_or(Duration::MAX));
        let Some((index, watched)) = found else { return false };
        watched.leaves = true;
        watched.passage.ask_to_leave();
        if let Some(task) = &watched.task {
            task.wake_by_ref();
        }
        self.leaving.set(self.leaving.get() + 1);
        self.cursor.set((start + index + 1) % length.max(1));
        true
    }
}

/// Watched for as long as it lives.
pub(crate) struct WatchedConnection {
    limiter: Rc<Limiter>,
    place: usize,
    passage: Rc<Passage>,
    remembered: Cell<bool>,
}

impl WatchedConnection {
    /// The task to wake when something is overdue. A tokio task keeps its waker, so once is enough.
    pub fn remember(&self, task: &Waker) {
        if !self.remembered.replace(true)
            && let Some(Some(watched)) = self.limiter.watched.borrow_mut().get_mut(self.place)
        {
            watched.task = Some(task.clone());
        }
    }

    /// The limiter that watches.
    pub fn limiter(&self) -> &Rc<Limiter> {
        &self.limiter
    }

    /// What the connection's ends tell each other, and the limiter.
    pub fn passage(&self) -> &Rc<Passage> {
        &self.passage
    }

    /// Drives `work`, but gives it up where it would have to wait and the connection is to end.
    pub async fn unless_ending<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.remember(cx.waker());
            match work.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if self.passage.ending().is_none() => Poll::Pending,
                Poll::Pending => Poll::Ready(None),
            }
        })
        .await
    }

    /// Whether a connection that has become idle is to make room for a new one; asked once, it is.
    pub fn is_to_make_room(&self) -> bool {
        self.limiter.room_wanted.replace(false)
    }
}

impl Drop for WatchedConnection {
    fn drop(&mut self) {
        let watched = self.limiter.watched.borrow_mut().get_mut(self.place).and_then(Option::take);
        let Some(watched) = watched else { return };
        if watched.leaves {
            self.limiter.leaving.set(self.limiter.leaving.get() - 1);
        }
        self.limiter.free.borrow_mut().push(self.place);
        if self.limiter.is_empty() {
            self.limiter.changed.notify_one();
        }
    }
}
