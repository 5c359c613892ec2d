//! Files that are remembered, and contents that are kept in memory: so many, and so many bytes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;

use super::entry::{Entry, Variant};

/// So many files are remembered, with or without contents.
const MOST_ENTRIES: usize = 2048;
/// The largest content that is kept: what is larger costs little more to read than to send.
const LARGEST_KEPT: usize = 1024 * 1024;

/// What is remembered of the files of a folder, by their paths.
type Entries = HashMap<Box<[u8]>, Rc<Entry>>;

/// Remembers files.
pub struct Shelf {
    folders: Vec<RefCell<Entries>>,
    limit: usize,
    kept: Cell<usize>,
    uses: Cell<u64>,
}

impl Shelf {
    pub fn new(folders: usize, limit: usize) -> Self {
        Self {
            folders: (0..folders).map(|_| RefCell::default()).collect(),
            limit,
            kept: Cell::new(0),
            uses: Cell::new(0),
        }
    }

    /// What is remembered of a file.
    pub fn find(&self, folder: usize, name: &[u8]) -> Option<Rc<Entry>> {
        let entry = self.folders.get(folder)?.borrow().get(name)?.clone();
        self.use_now(&entry);
        Some(entry)
    }

    fn use_now(&self, entry: &Entry) {
        self.uses.set(self.uses.get() + 1);
        entry.used.set(self.uses.get());
    }

    /// Remembers a file, in the place of what was known of it before.
    pub fn put(&self, folder: usize, name: &[u8], entry: Rc<Entry>, before: Option<&Entry>) -> Rc<Entry> {
        self.remove(folder, name);
        if let Some(before) = before {
            entry.take_over(before);
        }
        self.kept.set(self.kept.get() + entry.kept());
        while self.count() >= MOST_ENTRIES && self.forget_oldest() {}
        self.use_now(&entry);
        if let Some(entries) = self.folders.get(folder) {
            entries.borrow_mut().insert(name.into(), entry.clone());
        }
        entry
    }

    /// Forgets a file that is no more.
    pub fn remove(&self, folder: usize, name: &[u8]) {
        let removed = self.folders.get(folder).and_then(|entries| entries.borrow_mut().remove(name));
        if let Some(entry) = removed {
            self.kept.set(self.kept.get().saturating_sub(entry.kept()));
        }
    }

    /// Whether so much may be kept in memory.
    pub fn takes(&self, size: u64) -> bool {
        usize::try_from(size).is_ok_and(|size| size <= LARGEST_KEPT.min(self.limit / 4))
    }

    /// Keeps the content of a file that is remembered.
    pub fn keep(&self, entry: &Rc<Entry>, variant: &Variant, content: &Bytes) {
        self.use_now(entry);
        while self.kept.get() + content.len() > self.limit && self.forget_oldest() {}
        let is_there = self.folders.iter().any(|entries| {
            entries.borrow().get(&entry.name).is_some_and(|remembered| Rc::ptr_eq(remembered, entry))
        });
        if is_there && variant.content.borrow().is_none() {
            self.kept.set(self.kept.get() + content.len());
            *variant.content.borrow_mut() = Some(content.clone());
        }
    }

    /// Bytes of contents that are kept.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.kept.get()
    }

    fn count(&self) -> usize {
        self.folders.iter().map(|entries| entries.borrow().len()).sum()
    }

    /// Forgets what was not used for the longest time; whether there was anything.
    fn forget_oldest(&self) -> bool {
        let oldest = self
            .folders
            .iter()
            .enumerate()
            .flat_map(|(folder, entries)| {
                let entries = entries.borrow();
                let oldest = entries.values().min_by_key(|entry| entry.used.get());
                oldest.map(|entry| (folder, entry.clone()))
            })
            .min_by_key(|(_, entry)| entry.used.get());
        let Some((folder, entry)) = oldest else { return false };
        self.remove(folder, &entry.name);
        true
    }
}
