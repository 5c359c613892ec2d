//! What waits to be sent: small frames put together, large payloads and shared frames as they are.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// Bytes up to this size are copied: cheaper than a piece of their own.
const COPY_UP_TO: usize = 4096;
/// Pieces that the system is handed at once.
const PIECES_AT_ONCE: usize = 16;
/// Memory that a silent connection may keep.
const KEPT: usize = 4096;

/// Bytes in the order in which they go.
#[derive(Debug, Default)]
pub struct Outbox {
    pieces: VecDeque<Bytes>,
    /// What comes behind the pieces, and may still grow.
    open: Vec<u8>,
    /// All of the pieces.
    length: usize,
    /// So much of the first of them was sent.
    sent: usize,
}

impl Outbox {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.length + self.open.len() - self.sent
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where frames are written onto the end.
    pub fn end(&mut self) -> &mut Vec<u8> {
        &mut self.open
    }

    /// Puts bytes onto the end, uncopied if that is worth it.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_UP_TO {
            self.open.extend_from_slice(&bytes);
            return;
        }
        for piece in [Bytes::from(std::mem::take(&mut self.open)), bytes] {
            if !piece.is_empty() {
                self.length += piece.len();
                self.pieces.push_back(piece);
            }
        }
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        // A silent connection keeps next to no memory for it.
        self.pieces = VecDeque::new();
        self.open.clear();
        self.open.shrink_to(KEPT);
        (self.length, self.sent) = (0, 0);
    }

    /// Hands to the system what it takes at once; `Ready` with false if it takes nothing any more.
    pub fn poll_write<S: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<bool> {
        let stream = Pin::new(stream);
        let written = if self.pieces.is_empty() {
            stream.poll_write(cx, self.open.get(self.sent..).unwrap_or_default())
        } else {
            let mut slices = [IoSlice::new(&[]); PIECES_AT_ONCE];
            let pieces = self.pieces.iter().map(Bytes::as_ref).chain([self.open.as_slice()]);
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                let begin = if count == 0 { self.sent } else { 0 };
                *slice = IoSlice::new(piece.get(begin..).unwrap_or_default());
                count += 1;
            }
            stream.poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
        };
        match std::task::ready!(written) {
            Ok(written) if written > 0 => {
                self.advance(written);
                Poll::Ready(true)
            }
            _ => Poll::Ready(false),
        }
    }

    /// So many bytes more were sent.
    fn advance(&mut self, written: usize) {
        self.sent += written;
        while let Some(first) = self.pieces.front().filter(|first| first.len() <= self.sent) {
            self.sent -= first.len();
            self.length -= first.len();
            self.pieces.pop_front();
        }
        if self.is_empty() {
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::io;

    use super::*;

    /// Takes a few bytes at a time.
    struct Narrow {
        at_once: usize,
        taken: Vec<u8>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let length = bytes.len().min(self.at_once);
            self.taken.extend_from_slice(&bytes[..length]);
            Poll::Ready(Ok(length))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all = slices.iter().flat_map(|slice| slice.iter().copied());
            let before = self.taken.len();
            let at_once = self.at_once;
            self.taken.extend(all.take(at_once));
            Poll::Ready(Ok(self.taken.len() - before))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #[test]
        fn all_of_it_goes_in_its_order(
            parts in proptest::collection::vec((0..3 * COPY_UP_TO, any::<bool>(), any::<bool>()), 0..40),
            at_once in 1..5 * COPY_UP_TO,
        ) {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let mut stream = Narrow { at_once, taken: Vec::new() };
            let (mut outbox, mut all) = (Outbox::default(), Vec::new());
            for (index, (length, is_shared, writes)) in parts.into_iter().enumerate() {
                let part = vec![index as u8; length];
                all.extend_from_slice(&part);
                if is_shared { outbox.push(part.into()) } else { outbox.end().extend_from_slice(&part) }
                prop_assert_eq!(outbox.len(), all.len() - stream.taken.len());
                if writes && !outbox.is_empty() {
                    prop_assert_eq!(outbox.poll_write(&mut cx, &mut stream), Poll::Ready(true));
                }
            }
            while !outbox.is_empty() {
                prop_assert_eq!(outbox.poll_write(&mut cx, &mut stream), Poll::Ready(true));
            }
            prop_assert_eq!(stream.taken, all);
        }
    }
}
