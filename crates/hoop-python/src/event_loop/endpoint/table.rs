//! The open transports of a loop, by the number of their descriptor.

use std::os::fd::RawFd;
use std::sync::Arc;

use pyo3::prelude::*;

use super::driven::Slot;

/// One place for each descriptor up to the highest that is in use. The kernel gives out the lowest
/// numbers first, so few places are empty.
#[derive(Debug, Default)]
pub struct Transports(Vec<Option<Arc<dyn Slot>>>);

impl Transports {
    pub fn get(&self, fd: RawFd) -> Option<&Arc<dyn Slot>> {
        self.0.get(usize::try_from(fd).ok()?)?.as_ref()
    }

    /// Puts a transport in its place; returns who was there, whose descriptor was closed under it.
    pub fn put(&mut self, fd: RawFd, slot: Arc<dyn Slot>) -> Option<Arc<dyn Slot>> {
        let place = usize::try_from(fd).ok()?;
        if place >= self.0.len() {
            self.0.resize(place + 1, None);
        }
        self.0.get_mut(place)?.replace(slot)
    }

    /// Takes a transport out, if the place is its own.
    pub fn remove(&mut self, fd: RawFd, transport: &Bound<'_, PyAny>) -> Option<Arc<dyn Slot>> {
        let place = self.0.get_mut(usize::try_from(fd).ok()?)?;
        place.take_if(|slot| slot.belongs_to(transport))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Slot>> {
        self.0.iter().flatten()
    }
}
