//! A part of a file as a response's body: read as the peer takes it, never all at once.
//!
//! It is read on the loop's own thread, and only what is in memory already (`RWF_NOWAIT`). What is not the
//! system is asked to fetch; the body waits for that by a timer, and everybody else goes on (ADR 0028).

use std::cell::RefCell;
use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Sleep;

/// What is read at once.
const READ_AT_ONCE: u64 = 64 * 1024;
/// So many spaces of that size are kept: what one response has on its way.
const MOST_FREE: usize = 16;
/// What a slow disk is asked for ahead.
const READ_AHEAD: u64 = 1024 * 1024;
/// How long it is waited for before it is looked at again: first, and at the most.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(16);
/// After so long it is read whatever that takes: there are file systems that never say that something is
/// in memory.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many bytes of a file, from a place on.
#[derive(Debug)]
pub struct FilePart {
    file: Arc<File>,
    from: u64,
    left: u64,
    wait: Option<Box<Wait>>,
}

/// What is wanted is being fetched.
#[derive(Debug)]
struct Wait {
    timer: Pin<Box<Sleep>>,
    next: Duration,
    waited: Duration,
}

impl FilePart {
    /// `length` bytes of `file` from `from` on; the file's own position plays no part.
    pub fn new(file: impl Into<Arc<File>>, from: u64, length: u64) -> Self {
        Self { file: file.into(), from, left: length, wait: None }
    }

    /// How many bytes it makes.
    #[expect(clippy::len_without_is_empty, reason = "an empty part is as good as any")]
    pub fn len(&self) -> u64 {
        self.left
    }

    /// The next bytes, none at the end. A file that has become shorter is an error.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        loop {
            if let Some(wait) = &mut self.wait {
                std::task::ready!(wait.timer.as_mut().poll(cx));
            }
            let patient = self.wait.as_ref().is_none_or(|wait| wait.waited < PATIENCE);
            match self.read(patient) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patient => self.fetch(),
                result => {
                    self.wait = None;
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// The next bytes if they are in memory; otherwise, unless it is `patient`, from the disk.
    fn read(&mut self, patient: bool) -> io::Result<Bytes> {
        let mut bytes = Space::new(self.left.min(READ_AT_ONCE) as usize);
        let read = loop {
            let read = match patient {
                true => read_from_memory(&self.file, bytes.all(), self.from),
                false => self.file.read_at(bytes.all(), self.from),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if read == 0 && self.left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.from += read as u64;
        self.left -= read as u64;
        Ok(bytes.into_bytes(read))
    }

    /// All of it, if it is in memory and the file still has it.
    pub fn read_whole(mut self) -> Option<Bytes> {
        let mut first = self.read(true).ok()?;
        if self.left == 0 {
            return Some(first);
        }
        let mut whole = Vec::with_capacity(first.len() + self.left as usize);
        loop {
            whole.extend_from_slice(&first);
            if self.left == 0 {
                return Some(whole.into());
            }
            first = self.read(true).ok()?;
        }
    }

    fn fetch(&mut self) {
        let wait = match self.wait.take() {
            None => {
                ask_for(&self.file, self.from, self.left.min(READ_AHEAD));
                Wait { timer: sleep(FIRST_WAIT), next: FIRST_WAIT * 2, waited: FIRST_WAIT }
            }
            Some(wait) => Wait {
                timer: sleep(wait.next),
                next: (wait.next * 2).min(LONGEST_WAIT),
                waited: wait.waited + wait.next,
            },
        };
        self.wait = Some(Box::new(wait));
    }
}

thread_local! {
    /// Space of [`READ_AT_ONCE`] bytes that is free. Fresh memory of that size would cost as much as reading.
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Where bytes are read to, and what becomes of it once they are sent.
struct Space {
    bytes: Vec<u8>,
    used: usize,
}

impl Space {
    fn new(size: usize) -> Self {
        let free = || FREE.with_borrow_mut(Vec::pop);
        let reused = Some(size as u64).filter(|size| *size == READ_AT_ONCE).and_then(|_| free());
        Self { bytes: reused.unwrap_or_else(|| vec![0; size]), used: 0 }
    }

    fn all(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn into_bytes(mut self, used: usize) -> Bytes {
        self.used = used;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Space {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if self.bytes.len() as u64 == READ_AT_ONCE {
            let bytes = std::mem::take(&mut self.bytes);
            // A thread that ends has no use for it any more.
            let _ = FREE.try_with(|free| {
                let mut free = free.borrow_mut();
                if free.len() < MOST_FREE {
                    free.push(bytes);
                }
            });
        }
    }
}

fn sleep(duration: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(duration))
}

/// Reads what needs no waiting; `WouldBlock` if nothing of it is there.
#[cfg(target_os = "linux")]
fn read_from_memory(file: &File, bytes: &mut [u8], from: u64) -> io::Result<usize> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    match preadv2(file, &mut [io::IoSliceMut::new(bytes)], from, ReadWriteFlags::NOWAIT) {
        // Not every file system can tell.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => file.read_at(bytes, from),
        result => Ok(result?),
    }
}

/// Elsewhere there is no way to tell what is in memory.
#[cfg(not(target_os = "linux"))]
fn read_from_memory(file: &File, bytes: &mut [u8], from: u64) -> io::Result<usize> {
    file.read_at(bytes, from)
}

/// Has the system fetch a part of a file, without waiting for it.
#[cfg(target_os = "linux")]
fn ask_for(file: &File, from: u64, length: u64) {
    // Advice: where it is not taken, the read in the end fetches it.
    let _ = rustix::fs::fadvise(file, from, std::num::NonZero::new(length), rustix::fs::Advice::WillNeed);
}

#[cfg(not(target_os = "linux"))]
fn ask_for(_file: &File, _from: u64, _length: u64) {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn file(name: &str, content: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("hoop-net-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("written");
        let file = File::open(&path).expect("opened");
        std::fs::remove_file(&path).expect("removed");
        file
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
    }

    #[test]
    fn a_part_is_read_piece_by_piece() {
        let content: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        let mut part = FilePart::new(file("pieces", &content), 10, 150_000);
        let mut read = Vec::new();
        run(async {
            while part.len() > 0 {
                let bytes = poll_fn(|cx| part.poll_read(cx)).await.expect("read");
                assert!(bytes.len() as u64 <= READ_AT_ONCE);
                read.extend_from_slice(&bytes);
            }
        });
        assert_eq!(read, &content[10..150_010]);
        let whole = FilePart::new(file("whole", &content), 0, 200_000).read_whole();
        assert_eq!(whole.expect("in memory"), content);
    }

    #[test]
    fn space_is_used_again_and_not_more_of_it_than_one_response_needs() {
        let content = vec![1; READ_AT_ONCE as usize * 40];
        run(async {
            for _ in 0..3 {
                let mut part = FilePart::new(file("again", &content), 0, content.len() as u64);
                let mut on_their_way = Vec::new();
                while part.len() > 0 {
                    on_their_way.push(poll_fn(|cx| part.poll_read(cx)).await.expect("read"));
                }
                assert_eq!(on_their_way.concat(), content);
                drop(on_their_way);
                assert_eq!(FREE.with_borrow(Vec::len), MOST_FREE);
            }
        });
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error() {
        let mut part = FilePart::new(file("short", b"four"), 0, 5);
        run(async {
            assert_eq!(poll_fn(|cx| part.poll_read(cx)).await.expect("what is there"), "four");
            let error = poll_fn(|cx| part.poll_read(cx)).await.expect_err("nothing more");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        });
        assert!(FilePart::new(file("shorter", b"four"), 0, 5).read_whole().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_not_in_memory_is_fetched() {
        let path = std::env::temp_dir().join(format!("hoop-net-{}-cold", std::process::id()));
        let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number / 251) as u8).collect();
        std::fs::write(&path, &content).expect("written");
        let file = File::open(&path).expect("opened");
        file.sync_all().expect("on disk");
        // Where the folder is itself in memory this does nothing.
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("out of memory");
        std::fs::remove_file(&path).expect("removed");
        let mut part = FilePart::new(file, 0, 3_000_000);
        let mut read = Vec::new();
        run(async {
            while part.len() > 0 {
                read.extend_from_slice(&poll_fn(|cx| part.poll_read(cx)).await.expect("read"));
            }
        });
        assert!(read == content);
    }
}
