//! The HTTP client's engine: connections, the pool of them, and exchanges in HTTP/1.1 and HTTP/2 (ADR 0040).
//!
//! - [`Client`]: what requests are sent by. It lives on one thread, and drives its connections as tasks there.
//! - [`Surroundings`]: what it asks of its embedder.
//! - `destination`: what is made of a URL once.
//! - `pool`, `lease`, `connection`, `dial`, `names`, `proxy`, `stream`, `trust`: how a request comes by a connection.
//! - `http1`, `http1_output`, `request_head`: a connection of HTTP/1 (ADR 0048); those of HTTP/2 are hyper's.
//! - `exchange`: a request and its answer, sent again where that is safe.
//! - `download`, `decode`: the body of the answer.
//! - `patience`: one timer for all phases of an exchange.
//! - `upgrade`: the handshake of a WebSocket.
//! - `failure`: why it failed.

mod connection;
mod decode;
mod destination;
mod dial;
mod download;
mod exchange;
mod failure;
mod http1;
mod http1_output;
mod lease;
mod names;
mod patience;
mod pool;
mod proxy;
mod request_body;
mod request_head;
mod sending;
mod stream;
mod surroundings;
mod trust;
mod upgrade;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::dial::Dialer;
use self::names::Names;
use self::pool::Pool;
use crate::heap;

pub use decode::Decoding;
pub use destination::{Destination, Origin, UrlFault};
pub use download::{Download, Whole};
pub use exchange::Outgoing;
pub use failure::{Failure, Fault, Phase};
pub use patience::{Patience, Timeouts};
pub use pool::{PoolCounters, PoolLimits, Protocols};
pub use proxy::{Proxy, Via};
pub use request_body::Payload;
pub use stream::ClientStream;
pub use surroundings::{LocalFuture, Surroundings};
pub use trust::{Authorities, Trust, TrustOptions};
pub use upgrade::{Opened, Opening, Refused};
pub use url::Url;

/// How often free connections are looked at, in fractions of how long they are kept.
const LOOKS_PER_LIFE: u32 = 4;

/// What a client is made of.
pub struct ClientOptions {
    /// Whom it trusts.
    pub trust: Rc<Trust>,
    /// What it speaks.
    pub protocols: Protocols,
    /// What its pool may hold.
    pub pool: PoolLimits,
    /// Where all connections go, whatever the URL says.
    pub unix_socket: Option<PathBuf>,
    /// How long addresses of names are believed.
    pub names_for: Duration,
}

/// An HTTP client.
pub struct Client {
    surroundings: Rc<dyn Surroundings>,
    dialer: Dialer,
    protocols: Protocols,
    pool: Rc<Pool>,
    is_closed: Cell<bool>,
    is_watched: Rc<Cell<bool>>,
}

impl Client {
    /// One without connections.
    pub fn new(options: ClientOptions, surroundings: Rc<dyn Surroundings>) -> Rc<Self> {
        heap::keep_free(heap::FOR_CLIENTS);
        let ClientOptions { trust, protocols, pool, unix_socket, names_for } = options;
        let names = Names::new(surroundings.clone(), names_for);
        Rc::new(Self {
            surroundings,
            dialer: Dialer { names, trust, unix_socket },
            protocols,
            pool: Pool::new(pool, protocols),
            is_closed: Cell::new(false),
            is_watched: Rc::default(),
        })
    }

    /// How its pool is doing.
    pub fn counters(&self) -> PoolCounters {
        self.pool.counters()
    }

    /// Takes no more requests and drops what is free. What is at work goes on, and its connections close
    /// as it ends.
    pub fn close(&self) {
        self.is_closed.set(true);
        self.pool.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Has connections dropped that have ended, or that nobody uses for long, as long as there are any.
    fn keep_watch(&self) {
        if self.is_watched.replace(true) {
            return;
        }
        let (pool, is_watched) = (Rc::downgrade(&self.pool), self.is_watched.clone());
        let pause = (self.pool.limits().idle_for / LOOKS_PER_LIFE).max(Duration::from_millis(10));
        self.surroundings.spawn(Box::pin(async move {
            let mut next_look = Box::pin(sleep(pause));
            poll_fn(|cx| {
                let Some(pool) = pool.upgrade() else { return Poll::Ready(()) };
                while next_look.as_mut().poll(cx).is_ready() {
                    pool.sweep(Instant::now());
                    next_look.as_mut().reset(Instant::now() + pause);
                }
                pool.watch(cx);
                if pool.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            is_watched.set(false);
        }));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}
