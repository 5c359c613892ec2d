//! What is known of a file and of its compressed siblings.

use std::cell::{Cell, RefCell};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hoop_http::{Coding, content_type_of, format_date};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS,
};
use tokio::time::Instant;

use super::folder::{Folder, is_absence};
use super::{FileSettings, Held};

/// For so long it is not looked whether a file has changed.
pub const CHECK_EVERY: Duration = Duration::from_secs(1);
/// A file that was changed less than this ago may change again and keep its times (RFC 9110 section
/// 8.8.2.2): its tag is weak.
const SETTLES_IN: Duration = Duration::from_secs(2);

/// What tells one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    device: u64,
    number: u64,
    pub size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Facts {
    pub fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            number: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// A file in one coding.
pub struct Variant {
    pub coding: Option<Coding>,
    pub facts: Facts,
    /// When it was changed, as fields tell it.
    pub modified: Option<u64>,
    /// Whether that is long enough ago.
    pub is_settled: bool,
    /// The headers of a response with all of it.
    pub headers: HeaderMap,
    /// All of it, if it is kept in memory.
    pub content: RefCell<Option<Bytes>>,
}

/// A file that is served.
pub struct Entry {
    /// Its path in its folder.
    pub name: Box<[u8]>,
    /// As it is, and then its siblings.
    pub variants: Vec<Variant>,
    checked: Instant,
    /// When it was used last, in uses of the shelf.
    pub used: Cell<u64>,
}

/// Files that were opened to look at them, for each variant.
#[derive(Default)]
pub struct Opened(Vec<File>);

impl Opened {
    /// The file of a variant.
    pub fn take(mut self, place: usize) -> Option<File> {
        (place < self.0.len()).then(|| self.0.swap_remove(place))
    }
}

/// What there is by a name.
pub enum Found {
    File(Rc<Entry>, Opened),
    Folder,
}

impl Found {
    /// The file, if it is one.
    pub fn file(self) -> Option<Held> {
        match self {
            Self::File(entry, opened) => Some((entry, opened)),
            Self::Folder => None,
        }
    }
}

impl Entry {
    /// Looks at a file and its siblings.
    pub fn examine(settings: &FileSettings, folder: &Folder, name: &[u8], now: Instant) -> io::Result<Found> {
        let file = folder.open(name, now)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(Found::Folder);
        }
        if !metadata.is_file() {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::NXIO.raw_os_error()));
        }
        let mut found = vec![(None, Facts::of(&metadata))];
        let mut opened = vec![file];
        for coding in Coding::ALL.into_iter().filter(|_| settings.precompressed) {
            let sibling = match folder.open(&sibling_of(name, Some(coding)), now) {
                Ok(file) => file,
                Err(error) if is_absence(&error) => continue,
                Err(error) => return Err(error),
            };
            let metadata = sibling.metadata()?;
            if metadata.is_file() {
                found.push((Some(coding), Facts::of(&metadata)));
                opened.push(sibling);
            }
        }
        let varies = found.len() > 1;
        let kind = content_type_of(name);
        let variants = found
            .into_iter()
            .map(|(coding, facts)| Variant::new(coding, facts, kind, varies, settings.cache_control.as_ref()))
            .collect();
        let entry = Self { name: name.into(), variants, checked: now, used: Cell::new(0) };
        Ok(Found::File(Rc::new(entry), Opened(opened)))
    }

    /// Whether it was looked at a moment ago.
    pub fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.checked) < CHECK_EVERY
    }

    /// Takes over the contents of what has not changed since.
    pub fn take_over(&self, before: &Self) {
        for variant in &self.variants {
            let same = |other: &&Variant| other.coding == variant.coding && other.facts == variant.facts;
            if let Some(other) = before.variants.iter().find(same) {
                *variant.content.borrow_mut() = other.content.take();
            }
        }
    }

    /// Bytes that it keeps in memory.
    pub fn kept(&self) -> usize {
        self.variants.iter().map(|variant| variant.content.borrow().as_ref().map_or(0, Bytes::len)).sum()
    }
}

/// The path of a variant.
pub fn sibling_of(name: &[u8], coding: Option<Coding>) -> Vec<u8> {
    let extension = match coding {
        None => "",
        Some(Coding::Brotli) => ".br",
        Some(Coding::Zstd) => ".zst",
        Some(Coding::Gzip) => ".gz",
    };
    [name, extension.as_bytes()].concat()
}

impl Variant {
    fn new(
        coding: Option<Coding>,
        facts: Facts,
        kind: &'static str,
        varies: bool,
        cache_control: Option<&HeaderValue>,
    ) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let modified = u64::try_from(facts.modified.0).ok();
        let is_settled = modified.is_some_and(|seconds| seconds + SETTLES_IN.as_secs() < since.as_secs());
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        if varies {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Ok(tag) = HeaderValue::try_from(tag_of(&facts, coding, is_settled)) {
            headers.insert(ETAG, tag);
        }
        if let Some(Ok(date)) = modified.and_then(format_date).map(|date| HeaderValue::from_bytes(&date)) {
            headers.insert(LAST_MODIFIED, date);
        }
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(value) = cache_control {
            headers.insert(CACHE_CONTROL, value.clone());
        }
        Self { coding, facts, modified, is_settled, headers, content: RefCell::default() }
    }
}

/// Time and size, so that several servers with copies of a file give it one tag; and the coding, since a
/// strong tag is that of the very bytes (RFC 9110 section 8.8.3.3).
fn tag_of(facts: &Facts, coding: Option<Coding>, is_settled: bool) -> String {
    let weak = if is_settled { "" } else { "W/" };
    let coding = coding.map_or("", Coding::name);
    let (seconds, nanoseconds) = facts.modified;
    let dash = if coding.is_empty() { "" } else { "-" };
    format!("{weak}\"{seconds:x}.{nanoseconds:x}-{:x}{dash}{coding}\"", facts.size)
}
