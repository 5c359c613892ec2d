//! Memory that is free: what of it the allocator keeps, and when it is given back to the system.
//!
//! Rule for the unsafe code: `malloc_trim` takes a number and touches free memory alone, under the
//! allocator's own locks; it may be called at any time, from any thread.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Gives back the pages that are free. glibc does so by itself for those at the heap's end alone, and
/// what thousands of connections had lies between what they still have. Some milliseconds for a large heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    // SAFETY: the module's rule.
    unsafe { libc::malloc_trim(0) };
}

/// What a client has kept: as much as the bodies are that it is made to read.
pub const FOR_CLIENTS: usize = 32 << 20;
/// What a server has kept: its connections are many, and their messages small.
pub const FOR_SERVERS: usize = 8 << 20;

/// Has the allocator keep up to that many bytes that are free, from now on and in the whole process. glibc
/// begins with 128 KiB: bodies of 100 KB, read one after the other, and messages of 64 KiB on fifty WebSockets,
/// came from the kernel each time anew, and page by page, which cost a third of their time. It raises that by
/// itself to twice the largest block that it ever asked of the kernel and gave back; so one is asked for and
/// given back, and not touched. Who has set glibc's own variables (`MALLOC_TRIM_THRESHOLD_` and others) has
/// turned that off, and is obeyed.
pub fn keep_free(bytes: usize) {
    static KEPT: AtomicUsize = AtomicUsize::new(0);
    if KEPT.fetch_max(bytes, Ordering::Relaxed) < bytes {
        drop(black_box(Vec::<u8>::with_capacity(bytes / 2)));
    }
}

/// Other allocators see to it themselves, or have no such thing.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
