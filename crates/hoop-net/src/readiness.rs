//! Level-triggered readiness of file descriptors that belong to somebody else.
//!
//! tokio's own registrations are edge-triggered: a callback that reads half of what is there would
//! wait for ever for the rest. So foreign descriptors live in an epoll instance of their own, which
//! is level-triggered, and only that instance is registered with tokio.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Events taken from the kernel at once.
const EVENTS_AT_ONCE: usize = 256;

/// Directions in which a descriptor is, or should be, ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// Reading would not block (end of file and errors included).
    pub readable: bool,
    /// Writing would not block (errors included).
    pub writable: bool,
}

impl Readiness {
    /// Whether any direction is set.
    pub fn any(self) -> bool {
        self.readable || self.writable
    }

    fn flags(self) -> EventFlags {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.readable);
        flags.set(EventFlags::OUT, self.writable);
        flags
    }

    /// Hang-ups and errors count for both directions, as `selectors.EpollSelector` has it.
    fn from_flags(flags: EventFlags) -> Self {
        Self { readable: flags.intersects(!EventFlags::OUT), writable: flags.intersects(!EventFlags::IN) }
    }
}

/// A level-triggered poller that tokio can wait for.
#[derive(Debug)]
pub struct LevelPoller {
    epoll: AsyncFd<OwnedFd>,
    /// Whether the last look found something, so that there may be more without a new edge.
    found_some: AtomicBool,
}

impl LevelPoller {
    /// Makes a poller and registers it with the current tokio runtime.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        // SAFETY: `OwnedFd` keeps one open descriptor, always the same, for as long as it lives.
        let epoll = unsafe { AsyncFd::register_with_interest(epoll, Interest::READABLE) }?;
        Ok(Self { epoll, found_some: AtomicBool::new(false) })
    }

    /// Sets what `fd` is watched for; nothing at all removes it.
    pub fn watch(&self, fd: RawFd, wanted: Readiness) -> io::Result<()> {
        match self.change(fd, wanted) {
            // New here, or closed and opened again under the same number.
            Err(Errno::NOENT) if wanted.any() => {
                Ok(epoll::add(self.epoll.get_ref(), borrowed(fd)?, data_of(fd), wanted.flags())?)
            }
            other => Ok(other?),
        }
    }

    /// Sets that `fd` is watched for less than before. If it was closed meanwhile, that is an error:
    /// whoever has its number now asked for nothing.
    pub fn narrow(&self, fd: RawFd, wanted: Readiness) -> io::Result<()> {
        Ok(self.change(fd, wanted)?)
    }

    fn change(&self, fd: RawFd, wanted: Readiness) -> Result<(), Errno> {
        let source = borrowed(fd)?;
        if wanted.any() {
            epoll::modify(self.epoll.get_ref(), source, data_of(fd), wanted.flags())
        } else {
            epoll::delete(self.epoll.get_ref(), source)
        }
    }

    /// Waits until something is ready and appends all that is. Asking again before the cause is
    /// dealt with yields the same events at once.
    pub async fn wait(&self, events: &mut Vec<(RawFd, Readiness)>) -> io::Result<()> {
        loop {
            if !self.found_some.load(Ordering::Relaxed) {
                // Cleared before the look: what becomes ready after it leaves a new edge.
                self.epoll.readable().await?.clear_ready();
            }
            self.take_ready(events)?;
            self.found_some.store(!events.is_empty(), Ordering::Relaxed);
            if !events.is_empty() {
                return Ok(());
            }
        }
    }

    fn take_ready(&self, events: &mut Vec<(RawFd, Readiness)>) -> io::Result<()> {
        let mut ready: Vec<epoll::Event> = Vec::with_capacity(EVENTS_AT_ONCE);
        let no_wait = Duration::ZERO.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
        match epoll::wait(self.epoll.get_ref(), spare_capacity(&mut ready), Some(&no_wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        events.extend(ready.iter().filter_map(|event| {
            let fd = RawFd::try_from(event.data.u64()).ok()?;
            let flags = event.flags;
            Some((fd, Readiness::from_flags(flags)))
        }));
        Ok(())
    }
}

/// A number as what `epoll_ctl` takes.
fn borrowed<'fd>(fd: RawFd) -> Result<BorrowedFd<'fd>, Errno> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: the number is only handed to epoll_ctl, which answers EBADF if it is not open.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

fn data_of(fd: RawFd) -> EventData {
    EventData::new_u64(u64::from(fd.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    const READ: Readiness = Readiness { readable: true, writable: false };

    #[test]
    fn a_descriptor_that_stays_ready_is_told_again() {
        runtime().block_on(async {
            let poller = LevelPoller::new().expect("a poller");
            let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
            poller.watch(reader.as_raw_fd(), READ).expect("watch");
            rustix::io::write(&writer, b"xy").expect("write");
            for byte in *b"xy" {
                let mut events = Vec::new();
                poller.wait(&mut events).await.expect("wait");
                assert_eq!(events, [(reader.as_raw_fd(), READ)]);
                let mut one = [0];
                rustix::io::read(&reader, &mut one).expect("read");
                assert_eq!(one, [byte]);
            }
        });
    }

    #[test]
    fn a_hang_up_counts_as_readable() {
        runtime().block_on(async {
            let poller = LevelPoller::new().expect("a poller");
            let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
            poller.watch(reader.as_raw_fd(), READ).expect("watch");
            drop(writer);
            let mut events = Vec::new();
            poller.wait(&mut events).await.expect("wait");
            assert!(events[0].1.readable);
        });
    }

    #[test]
    fn who_gets_the_number_of_a_closed_descriptor_is_not_watched_in_its_place() {
        runtime().block_on(async {
            let poller = LevelPoller::new().expect("a poller");
            let (mut closed, _writer) = rustix::pipe::pipe().expect("a pipe");
            let number = closed.as_raw_fd();
            poller.watch(number, READ).expect("watch");
            let (reader, writer) = rustix::pipe::pipe().expect("another pipe");
            rustix::io::dup2(&reader, &mut closed).expect("the number passes on");
            rustix::io::write(&writer, b"x").expect("write");
            assert!(poller.narrow(number, READ).is_err());
            let mut events = Vec::new();
            let waited = tokio::time::timeout(Duration::from_millis(20), poller.wait(&mut events));
            assert!(waited.await.is_err());
        });
    }

    #[test]
    fn a_number_that_is_no_descriptor_is_an_error() {
        let runtime = runtime();
        let _context = runtime.enter();
        let poller = LevelPoller::new().expect("a poller");
        assert!(poller.watch(-1, READ).is_err());
        assert!(poller.watch(1 << 20, READ).is_err());
    }
}
