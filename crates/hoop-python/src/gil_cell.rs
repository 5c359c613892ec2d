//! Interior mutability that the GIL guards: how loop state may be reached from any Python thread.
//!
//! Access rules, which every `GilCell` relies on:
//! 1. Contents are reached only with a `Python<'_>` token in hand, so only by the thread that holds
//!    the GIL. The module declares that it needs the GIL, so a free-threaded build turns it on.
//! 2. No borrow is alive while Python code may run, because Python may switch threads or come back
//!    to the same cell. A breach of this rule is a `BorrowError` panic, never a data race.
//! 3. Contents are not tied to a thread (no thread-local handles), so the loop may be made in one
//!    thread and run in another, as asyncio allows.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::fmt;

use pyo3::Python;

/// A [`RefCell`] that may be shared between threads because the GIL serialises every access.
#[derive(Debug, Default)]
pub struct GilCell<T>(RefCell<T>);

// SAFETY: rules 1 and 3: accesses are serialised by the GIL, whose hand-over is a memory barrier.
unsafe impl<T> Send for GilCell<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    #[inline]
    pub fn borrow<'a>(&'a self, _py: Python<'a>) -> Ref<'a, T> {
        self.0.borrow()
    }

    #[inline]
    pub fn borrow_mut<'a>(&'a self, _py: Python<'a>) -> RefMut<'a, T> {
        self.0.borrow_mut()
    }

    /// For whoever has the cell alone, as its last owner has.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// For the garbage collector, which runs under the GIL but shows no token. `None` while borrowed.
    pub fn for_collector(&self) -> Option<Ref<'_, T>> {
        self.0.try_borrow().ok()
    }

    /// Puts `value` in and hands the old one out, so that it is dropped outside the borrow.
    #[inline]
    pub fn replace(&self, _py: Python<'_>, value: T) -> T {
        self.0.replace(value)
    }
}

/// A place for one value, put in and taken out whole: a [`GilCell`] without its flag, where size counts.
pub struct GilSlot<T>(Cell<Option<T>>);

impl<T: fmt::Debug> fmt::Debug for GilSlot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.look_for_collector(|value| f.debug_tuple("GilSlot").field(value).finish())
            .unwrap_or_else(|| f.write_str("GilSlot(empty)"))
    }
}

// SAFETY: rules 1 and 3, as for `GilCell`.
unsafe impl<T> Send for GilSlot<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for GilSlot<T> {}

impl<T> GilSlot<T> {
    pub const fn new(value: Option<T>) -> Self {
        Self(Cell::new(value))
    }

    #[inline]
    pub fn take(&self, _py: Python<'_>) -> Option<T> {
        self.0.take()
    }

    /// Puts `value` in and hands the old one out.
    #[inline]
    pub fn replace(&self, _py: Python<'_>, value: Option<T>) -> Option<T> {
        self.0.replace(value)
    }

    /// Looks at the value, which is not in its place meanwhile: `look` must not run Python code.
    #[inline]
    pub fn look<R>(&self, _py: Python<'_>, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.look_for_collector(look)
    }

    /// The same for the garbage collector, which runs under the GIL but shows no token.
    pub fn look_for_collector<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        let value = self.0.take();
        let seen = value.as_ref().map(look);
        self.0.set(value);
        seen
    }
}

impl<T: Copy> GilCell<T> {
    #[inline]
    pub fn get(&self, _py: Python<'_>) -> T {
        *self.0.borrow()
    }

    #[inline]
    pub fn set(&self, _py: Python<'_>, value: T) {
        *self.0.borrow_mut() = value;
    }
}

impl<T: Default> GilCell<T> {
    #[inline]
    pub fn take(&self, py: Python<'_>) -> T {
        self.replace(py, T::default())
    }
}
