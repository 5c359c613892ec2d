//! Python bytes that a body is read into, straight from the socket.
//!
//! Rules for the unsafe code:
//! 1. The object is new and nobody else has it until [`BytesRoom::finish`]: its bytes may be written.
//! 2. It has `length` bytes, which CPython has set aside and not initialised; the first `filled` of them are,
//!    and `filled` is never more than `length`.
//! 3. It is handed out when all of them are filled, and not before.
//! 4. The kernel is advised on whole huge pages that lie within these bytes. The advice changes no contents, so
//!    that it may outlive them: it is the mapping's, which for blocks of the heap stays.

use bytes::BufMut;
use bytes::buf::UninitSlice;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What the kernel's huge pages are on x86-64, and on arm64 with pages of 4 KiB.
#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;
/// From here on a whole huge page lies in the bytes wherever they begin, and one more as a rule.
#[cfg(target_os = "linux")]
const WORTH_HUGE_PAGES: usize = 2 * HUGE_PAGE;

/// A bytes object that is being filled.
pub struct BytesRoom {
    bytes: Py<PyBytes>,
    length: usize,
    filled: usize,
}

impl BytesRoom {
    /// Of that many bytes. `Err` if there is no such memory.
    pub fn new(py: Python<'_>, length: usize) -> PyResult<Self> {
        let size = ffi::Py_ssize_t::try_from(length)?;
        // SAFETY: without a source the object is new and its bytes are not initialised (rules 1 and 2).
        let bytes = unsafe {
            Bound::from_owned_ptr_or_err(py, ffi::PyBytes_FromStringAndSize(std::ptr::null(), size))?
                .cast_into_unchecked::<PyBytes>()
        };
        // The empty bytes are one object that all share; there is nothing to fill in it.
        let mut room = Self { bytes: bytes.unbind(), length, filled: 0 };
        room.ask_for_huge_pages();
        Ok(room)
    }

    /// Large bodies are written once, to memory that is new: the kernel's part of that, a fault for each page
    /// of 4 KiB, costs as much as the copy from the socket does. Most systems give huge pages to who asks.
    fn ask_for_huge_pages(&mut self) {
        #[cfg(target_os = "linux")]
        if self.length >= WORTH_HUGE_PAGES {
            let begin = self.chunk_mut().as_mut_ptr();
            let before = begin.align_offset(HUGE_PAGE);
            let whole = self.length.saturating_sub(before) / HUGE_PAGE * HUGE_PAGE;
            if whole > 0 {
                // SAFETY: rule 4. It is a request: where the kernel has no such pages all stays as it was.
                let _ = unsafe {
                    rustix::mm::madvise(begin.add(before).cast(), whole, rustix::mm::Advice::LinuxHugepage)
                };
            }
        }
    }

    /// The object, if all of it is filled.
    pub fn finish(self) -> Option<Py<PyBytes>> {
        (self.filled == self.length).then_some(self.bytes)
    }
}

// SAFETY: `chunk_mut` is what is not filled yet, of an object that stays where it is, and `advance_mut`
// counts what its caller has filled, within the object's length (rules 1 and 2).
unsafe impl BufMut for BytesRoom {
    fn remaining_mut(&self) -> usize {
        self.length - self.filled
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        assert!(count <= self.remaining_mut(), "more was filled than there is room for");
        self.filled += count;
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        let rest = self.remaining_mut();
        // SAFETY: rules 1 and 2; the memory is borrowed as long as this is.
        unsafe {
            let begin = ffi::PyBytes_AsString(self.bytes.as_ptr()).cast::<u8>();
            UninitSlice::from_raw_parts_mut(begin.add(self.filled), rest)
        }
    }
}
