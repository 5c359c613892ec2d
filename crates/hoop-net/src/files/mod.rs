//! Folders whose files are answered with before the application is asked (ADR 0028).
//!
//! - `folder`: opens files, none of them outside.
//! - `entry`: what is known of a file and of its compressed siblings.
//! - `shelf`: entries that are remembered, and contents that are kept in memory.
//! - `reply`: the response, by conditions and ranges.

mod entry;
mod folder;
mod reply;
mod shelf;

pub use folder::{Folder, is_absence};

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use hoop_http::{PathFault, relative_path};
use http::header::{ALLOW, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use tokio::time::Instant;

use crate::body::ResponseBody;
use entry::{Entry, Found, Opened};
pub(crate) use reply::joined;
use reply::{moved, refusal, reply};
use shelf::Shelf;

/// How files are served.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// Path prefixes, and the folder that each stands for.
    pub folders: Vec<(String, PathBuf)>,
    /// What is added to every file's response.
    pub cache_control: Option<HeaderValue>,
    /// The file that answers for its folder.
    pub index: Option<String>,
    /// Whether names that begin with a dot are served.
    pub hidden: bool,
    /// Whether `app.js.br` answers for `app.js` where the client takes it.
    pub precompressed: bool,
    /// So many bytes of contents may be kept in memory.
    pub memory: usize,
    /// The path under which clients see this server.
    pub root_path: String,
}

/// A folder that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// It is not there, or cannot be read.
    #[error("static {prefix}: the folder {path:?} cannot be opened: {source}")]
    Folder {
        /// What it was to be served as.
        prefix: String,
        /// Where it was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The prefix is no path.
    #[error("static {0}: a prefix is a path like /assets, of plain names")]
    Prefix(String),
}

/// A prefix and its folder.
struct Mount {
    /// The names of the prefix.
    names: Vec<Vec<u8>>,
    folder: Folder,
}

/// Folders with files.
pub struct StaticFiles {
    settings: FileSettings,
    /// Those with more names first, so that the longest that fits is found first.
    mounts: Vec<Mount>,
    shelf: Shelf,
}

impl StaticFiles {
    /// Looks whether the folders are there.
    pub fn new(settings: FileSettings) -> Result<Self, FilesError> {
        let mut mounts = Vec::new();
        for (prefix, path) in &settings.folders {
            let names = names_of(prefix).ok_or_else(|| FilesError::Prefix(prefix.clone()))?;
            let folder = Folder::new(path.clone()).map_err(|source| FilesError::Folder {
                prefix: prefix.clone(),
                path: path.clone(),
                source,
            })?;
            mounts.push(Mount { names, folder });
        }
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.names.len()));
        let shelf = Shelf::new(mounts.len(), settings.memory);
        Ok(Self { settings, mounts, shelf })
    }

    /// The answer to a request below one of the prefixes; `None` if it is below none.
    pub fn answer<B>(&self, request: &Request<B>) -> Option<Response<ResponseBody>> {
        let (number, mount, rest) = self.mounts.iter().enumerate().find_map(|(number, mount)| {
            mount.rest_of(request.uri().path()).map(|rest| (number, mount, rest))
        })?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        Some(match self.look_up(number, mount, rest, request) {
            Ok(response) => response,
            Err(status) => refusal(status),
        })
    }

    fn look_up<B>(
        &self,
        number: usize,
        mount: &Mount,
        rest: &str,
        request: &Request<B>,
    ) -> Result<Response<ResponseBody>, StatusCode> {
        let name = relative_path(rest, self.settings.hidden).map_err(|fault| match fault {
            PathFault::Malformed => StatusCode::BAD_REQUEST,
            PathFault::Unsafe | PathFault::Hidden => StatusCode::NOT_FOUND,
        })?;
        // Only the prefix itself may come without its slash and leave nothing.
        let names_folder = request.uri().path().ends_with('/');
        if names_folder || name.is_empty() {
            let name = self.index_of(&name).ok_or(StatusCode::NOT_FOUND)?;
            let held = self.find(number, mount, &name)?.file().ok_or(StatusCode::NOT_FOUND)?;
            return match names_folder {
                true => self.send(number, mount, held, request),
                false => moved(&self.settings.root_path, request.uri()),
            };
        }
        match self.find(number, mount, &name)? {
            Found::File(entry, opened) => self.send(number, mount, (entry, opened), request),
            Found::Folder => {
                let index = self.index_of(&name).ok_or(StatusCode::NOT_FOUND)?;
                self.find(number, mount, &index)?.file().ok_or(StatusCode::NOT_FOUND)?;
                moved(&self.settings.root_path, request.uri())
            }
        }
    }

    /// Answers with a file; if it has just been replaced, with what is in its place.
    fn send<B>(
        &self,
        number: usize,
        mount: &Mount,
        held: Held,
        request: &Request<B>,
    ) -> Result<Response<ResponseBody>, StatusCode> {
        let (entry, opened) = held;
        if let Ok(response) = reply(self, mount, &entry, opened, request) {
            return Ok(response);
        }
        self.shelf.remove(number, &entry.name);
        let (entry, opened) = self.find(number, mount, &entry.name)?.file().ok_or(StatusCode::NOT_FOUND)?;
        reply(self, mount, &entry, opened, request).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The path of the file that answers for a folder.
    fn index_of(&self, folder: &[u8]) -> Option<Cow<'_, [u8]>> {
        let index = self.settings.index.as_ref()?.as_bytes();
        Some(match folder {
            [] => Cow::Borrowed(index),
            _ => Cow::Owned([folder, index].join(&b'/')),
        })
    }

    /// What there is of that name, as it was a moment ago at the most.
    fn find(&self, number: usize, mount: &Mount, name: &[u8]) -> Result<Found, StatusCode> {
        let now = Instant::now();
        let before = self.shelf.find(number, name);
        if let Some(entry) = before.as_ref().filter(|entry| entry.is_fresh(now)) {
            return Ok(Found::File(entry.clone(), Opened::default()));
        }
        match Entry::examine(&self.settings, &mount.folder, name, now) {
            Ok(Found::File(entry, opened)) => {
                let entry = self.shelf.put(number, name, entry, before.as_deref());
                Ok(Found::File(entry, opened))
            }
            other => {
                self.shelf.remove(number, name);
                other.map_err(|error| status_of(&error))
            }
        }
    }
}

impl Mount {
    /// What of a path comes after the prefix and its slash; `None` if it is not below the prefix.
    fn rest_of<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut rest = path.strip_prefix('/')?;
        for (place, name) in self.names.iter().enumerate() {
            let (first, after) = rest.split_once('/').unzip();
            let first = first.unwrap_or(rest);
            if !is_name(first, name) {
                return None;
            }
            match after {
                Some(after) => rest = after,
                None if place + 1 == self.names.len() => return Some(""),
                None => return None,
            }
        }
        Some(rest)
    }
}

/// Whether a percent-encoded name of a path is that one.
fn is_name(encoded: &str, name: &[u8]) -> bool {
    encoded.as_bytes() == name || relative_path(encoded, true).is_ok_and(|decoded| *decoded == *name)
}

/// The names of a prefix, which is not encoded.
fn names_of(prefix: &str) -> Option<Vec<Vec<u8>>> {
    let path = prefix.strip_prefix('/')?;
    if path.is_empty() {
        return Some(Vec::new());
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let is_plain = |name: &str| {
        !matches!(name, "" | "." | "..")
            && !name.contains(|letter: char| letter.is_control() || letter == '\\')
    };
    path.split('/').map(|name| is_plain(name).then(|| name.as_bytes().to_vec())).collect()
}

/// What a client is told of an error of the system's: there is nothing, or it is our trouble.
fn status_of(error: &io::Error) -> StatusCode {
    if folder::is_absence(error) { StatusCode::NOT_FOUND } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// A file that was found, and where it comes from.
type Held = (Rc<Entry>, Opened);

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(prefix: &str) -> Mount {
        let folder = Folder::new(std::env::temp_dir()).expect("a folder");
        Mount { names: names_of(prefix).expect("a prefix"), folder }
    }

    #[test]
    fn a_prefix_ends_where_its_last_name_ends() {
        let assets = mount("/assets/");
        for (path, rest) in [
            ("/assets/a/b", Some("a/b")),
            ("/assets/", Some("")),
            ("/assets", Some("")),
            ("/%61ssets/a", Some("a")),
            ("/assets//a", Some("/a")),
            ("/assetsx", None),
            ("/assets%2Fa", None),
            ("/Assets/a", None),
            ("/", None),
            ("//assets/a", None),
            ("*", None),
        ] {
            assert_eq!(assets.rest_of(path), rest, "{path}");
        }
        assert_eq!(mount("/").rest_of("/a/b"), Some("a/b"));
        assert_eq!(mount("/a b/ü").rest_of("/a%20b/%C3%BC/c"), Some("c"));
        assert_eq!(mount("/a/b").rest_of("/a"), None);
    }

    /// A folder of `count` files of `size` bytes that have not changed for long.
    fn folder_of(name: &str, count: u32, size: usize) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("hoop-net-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        for number in 0..count {
            let path = folder.join(format!("{number}.txt"));
            std::fs::write(&path, vec![b'0' + (number % 10) as u8; size]).expect("written");
            let file = std::fs::File::options().write(true).open(&path).expect("opened");
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("a time");
        }
        folder
    }

    fn size_of_answer(files: &StaticFiles, path: &str) -> Option<u64> {
        let request = Request::get(path).body(()).expect("a request");
        http_body::Body::size_hint(files.answer(&request).expect("an answer").body()).exact()
    }

    #[test]
    fn contents_are_kept_within_the_budget_and_the_latest_stay() {
        let folder = folder_of("budget", 40, 4000);
        let files = StaticFiles::new(FileSettings {
            folders: vec![("/f".to_owned(), folder.clone())],
            cache_control: None,
            index: None,
            hidden: false,
            precompressed: true,
            memory: 20_000,
            root_path: String::new(),
        })
        .expect("a folder");
        for _ in 0..2 {
            for number in 0..40 {
                assert_eq!(size_of_answer(&files, &format!("/f/{number}.txt")), Some(4000));
                assert!(files.shelf.kept() <= 20_000);
            }
        }
        assert_eq!(files.shelf.kept(), 20_000);
        std::fs::remove_dir_all(folder).expect("removed");
        let kept = |name: &str| files.shelf.find(0, name.as_bytes()).map_or(0, |entry| entry.kept());
        assert_eq!([kept("35.txt"), kept("39.txt"), kept("34.txt"), kept("0.txt")], [4000, 4000, 0, 0]);
    }

    #[test]
    fn a_prefix_is_a_path_of_plain_names() {
        for prefix in ["", "assets", "//", "/a//b", "/a/../b", "/.", "/a\0", "/a\\b"] {
            assert_eq!(names_of(prefix), None, "{prefix:?}");
        }
    }
}
