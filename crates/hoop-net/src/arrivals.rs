//! What arrives goes through one buffer, for all connections of a thread: one that waits needs none.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// What is read at once: a WebSocket's message of 64 KiB and its head take one call.
pub const READ_AT_ONCE: usize = 72 * 1024;

thread_local! {
    static ARRIVALS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads once, and shows what came to `take`; how much it was, which is nothing where the stream has ended.
pub fn poll_arrivals(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    let mut space = ARRIVALS.take();
    space.resize(READ_AT_ONCE, 0);
    let mut buffer = ReadBuf::new(&mut space);
    let read = Pin::new(stream).poll_read(cx, &mut buffer);
    let arrived = buffer.filled().len();
    if arrived > 0 {
        take(buffer.filled());
    }
    ARRIVALS.set(space);
    ready!(read)?;
    Poll::Ready(Ok(arrived))
}
