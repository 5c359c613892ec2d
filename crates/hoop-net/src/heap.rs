//! Memory that the allocator keeps, given back to the system.
//!
//! Rule for the unsafe code: `malloc_trim` takes a number and touches free memory alone, under the
//! allocator's own locks; it may be called at any time, from any thread.

/// Gives back the pages that are free. glibc does so by itself for those at the heap's end alone, and
/// what thousands of connections had lies between what they still have. Some milliseconds for a large heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    // SAFETY: the module's rule.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators see to it themselves, or have no such thing.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
