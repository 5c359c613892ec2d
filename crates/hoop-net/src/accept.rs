//! The accept loop: each connection becomes a task of its own.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::address::Address;
use crate::application::{Application, Executor};
use crate::connection::{ConnectionFacts, ServeSettings, Serving, serve_connection};
use crate::give_way::give_way;
use crate::listener::{Connected, Listener};
use crate::shutdown::Shutdown;
use crate::transport::Socket;

/// How long the accept loop rests when the system has no descriptor or memory left.
const REST_WHEN_EXHAUSTED: Duration = Duration::from_millis(100);

/// Idle connections that are closed then.
const EVICTED_WHEN_EXHAUSTED: u32 = 8;

/// Connections accepted before those that are open get their turn.
const ACCEPTED_AT_ONCE: u32 = 64;

/// Accepts connections until the shutdown begins. A server with several listeners has one such task for
/// each, with the same settings.
pub async fn serve<A: Application, E: Executor>(
    listener: Listener,
    application: Rc<A>,
    executor: E,
    shutdown: Shutdown,
    settings: ServeSettings,
) {
    // Declared before the listener's own place: what is dropped last says that the socket is closed.
    let _listening = shutdown.listens();
    let listener = listener;
    let limiter = settings.limiter.clone();
    executor.spawn(limiter.outbox.clone().serve());
    executor.spawn(limiter.clone().keep_time(application.clone(), shutdown.clone()));
    let serving = Rc::new(Serving { application, executor, settings });
    let mut accepted_at_once = 0;
    loop {
        accepted_at_once += 1;
        if accepted_at_once == ACCEPTED_AT_ONCE {
            accepted_at_once = 0;
            give_way().await;
        }
        let accepted = tokio::select! {
            biased;
            () = shutdown.begun() => return,
            accepted = listener.accept() => accepted,
        };
        if accepted.is_ok() {
            // With too many open the new one waits, and so does the system's queue behind it.
            limiter.room(&shutdown).await;
        }
        let open = shutdown.opened();
        let connected = match accepted {
            Ok(Connected::Tcp { stream, peer, local }) => {
                Ok((Socket::Tcp(stream), Address::Ip(peer), Address::Ip(local)))
            }
            Ok(Connected::Unix { stream }) => {
                let local = listener.address().clone();
                Ok((Socket::Unix(stream), Address::Unix(None), local))
            }
            Err(error) => Err(error),
        };
        match connected {
            Ok((socket, peer, local)) => {
                let facts = Box::new(ConnectionFacts { peer, local, tls: None, interim: None });
                serving.executor.spawn(serve_connection(socket, facts, serving.clone(), open));
            }
            Err(error) if !is_exhausted(&error) => {}
            Err(error) => {
                serving.application.accept_failed(&error);
                drop(open);
                // Idle connections go first, so that whoever asks for something gets through.
                (0..EVICTED_WHEN_EXHAUSTED).all(|_| limiter.evict_idle());
                tokio::select! {
                    () = shutdown.closed() => {}
                    () = tokio::time::sleep(REST_WHEN_EXHAUSTED) => {}
                }
            }
        }
    }
}

/// Whether the system has no descriptor or memory left. All other errors are those of the connection that
/// was to be accepted (accept(2), "Error handling"), and the next one may be well.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
