//! Connections that have been made: one request at a time, or many that share it.

use std::cell::Cell;
use std::os::fd::{BorrowedFd, RawFd};
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use hyper::client::conn::{TrySendError, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use tokio::time::Instant;

use super::dial::Dialed;
use super::failure::{Failure, Phase};
use super::http1::Http1;
use super::lease::Slot;
use super::pool::Pool;
use super::request_body::RequestBody;
use super::request_head::RequestHead;
use super::surroundings::{Spawner, Surroundings};

/// A connection that was unused for so long is looked at before it is used: its server may have closed it,
/// and the loop may not have heard of it yet.
const LOOKED_AT_AFTER: Duration = Duration::from_millis(200);
/// How much of a response's body one stream may send ahead of its reader, and all of a connection.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// The most that the fields of a response may come to, in HTTP/2.
const LARGEST_HEAD: u32 = 256 * 1024;

/// A shared connection on which requests wait is asked for a sign of life, and ends without one: no
/// request after it may be sent to a server that is gone.
const PING_AFTER: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// So many streams that were given up are remembered for a second: what still comes for them is expected.
const RESETS_REMEMBERED: usize = 4096;
/// So many frames may come for streams that nobody remembers before the connection ends with all that is on
/// it. h2 counts them over a connection's life, and its own 1,024 are soon reached where many requests are
/// cancelled; without an end, a server that never reads could fill the memory with what it is answered.
const STRAY_FRAMES: usize = 65_536;

/// What a request comes back in when it could not be sent.
pub type Unsent = TrySendError<http::Request<RequestBody>>;

/// A connection of HTTP/1: one exchange after the other.
pub struct Exclusive {
    pub http1: Box<Http1>,
    pub head: RequestHead,
    pub slot: Slot,
    pub unused_since: Instant,
    /// Whether an exchange has begun on it and is not over.
    pub is_at_work: Cell<bool>,
    /// Whether it has served before.
    pub has_served: Cell<bool>,
    descriptor: RawFd,
}

impl Exclusive {
    /// Whether it has not been closed, as far as the loop has heard; if it is later, `cx` is woken.
    pub fn is_open(&mut self, cx: &mut Context<'_>) -> bool {
        self.http1.is_quiet(cx)
    }

    /// Whether it can take a request.
    pub fn is_usable(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_open(cx) && (self.unused_since.elapsed() < LOOKED_AT_AFTER || self.is_quiet())
    }

    /// Whether nothing has come that nobody asked for, the loop's word apart.
    fn is_quiet(&self) -> bool {
        // SAFETY: `http1` has the socket, whose number this is, and lives as long as this does.
        let descriptor = unsafe { BorrowedFd::borrow_raw(self.descriptor) };
        let mut asked = [PollFd::new(&descriptor, PollFlags::IN | PollFlags::RDHUP)];
        matches!(poll(&mut asked, Some(&Timespec::default())), Ok(0))
    }
}

/// A connection of HTTP/2.
pub struct Shared {
    pub sender: http2::SendRequest<RequestBody>,
    pub slot: Slot,
    /// Requests that are at work on it.
    pub active: Cell<usize>,
    pub unused_since: Cell<Instant>,
    /// It takes no more requests: its server has said goodbye.
    pub is_retired: Cell<bool>,
    streams: usize,
}

impl Shared {
    pub fn is_closed(&self) -> bool {
        self.is_retired.get() || self.sender.is_closed()
    }

    pub fn has_room(&self) -> bool {
        self.active.get() < self.streams && !self.is_closed()
    }
}

/// What was made of a dialled connection.
pub enum Made {
    Exclusive(Exclusive),
    Shared(Rc<Shared>),
}

/// Makes a connection speak HTTP: HTTP/1 by itself, as it is asked, and HTTP/2 by hyper, which a task of the
/// loop's drives until it ends.
pub async fn begin(
    dialed: Dialed,
    shares: bool,
    slot: Slot,
    surroundings: &Rc<dyn Surroundings>,
    streams: usize,
) -> Result<Made, Failure> {
    if shares {
        let (pool, origin) = (slot.pool(), slot.origin.clone());
        let (sender, connection) = http2::Builder::new(Spawner(surroundings.clone()))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(LARGEST_HEAD)
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(PING_AFTER))
            .keep_alive_timeout(PONG_WITHIN)
            .max_concurrent_reset_streams(RESETS_REMEMBERED)
            .max_local_error_reset_streams(STRAY_FRAMES)
            .handshake(TokioIo::new(dialed.stream))
            .await
            .map_err(|error| Failure::http(Phase::Connect, &error))?;
        surroundings.spawn(Box::pin(async move {
            // Its errors are told to the requests that are at work on it.
            let _ = connection.await;
            if let Some(pool) = pool.upgrade() {
                Pool::prune(&pool, &origin);
            }
        }));
        slot.connected(true);
        return Ok(Made::Shared(Rc::new(Shared {
            sender,
            slot,
            active: Cell::new(0),
            unused_since: Cell::new(Instant::now()),
            is_retired: Cell::new(false),
            streams,
        })));
    }
    slot.connected(false);
    Ok(Made::Exclusive(Exclusive {
        http1: Box::new(Http1::new(dialed.stream)),
        head: RequestHead::default(),
        slot,
        unused_since: Instant::now(),
        is_at_work: Cell::new(false),
        has_served: Cell::new(false),
        descriptor: dialed.descriptor,
    }))
}
