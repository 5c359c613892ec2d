//! A folder, of which files are opened and never anything outside of it.
//!
//! Linux resolves a name beneath a folder by itself (`openat2`, since 5.6): a symbolic link that leaves the
//! folder is an error there. Elsewhere names are opened step by step, and no link is followed at all.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use tokio::time::Instant;

use super::entry::CHECK_EVERY;

/// Opening never waits: not for the writer of a pipe, not for a device.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A name that is moved while it is looked up is looked up again so often.
#[cfg(target_os = "linux")]
const TRIES: usize = 3;

/// A folder.
pub struct Folder {
    path: PathBuf,
    /// Looked up again now and then: whole folders are replaced when a program is deployed.
    root: RefCell<Option<(Rc<OwnedFd>, Instant)>>,
    /// The system cannot resolve a name beneath a folder.
    by_steps: bool,
}

impl Folder {
    /// A folder that has to be there.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        // A program may change its directory later on.
        let path = std::path::absolute(path)?;
        let root = openat(CWD, &path, DIRECTORY, Mode::empty())?;
        let by_steps = !can_resolve_beneath(&root);
        Ok(Self { path, root: RefCell::default(), by_steps })
    }

    fn root(&self, now: Instant) -> io::Result<Rc<OwnedFd>> {
        let mut root = self.root.borrow_mut();
        if let Some((opened, at)) = root.as_ref()
            && now.saturating_duration_since(*at) < CHECK_EVERY
        {
            return Ok(opened.clone());
        }
        let opened = Rc::new(openat(CWD, &self.path, DIRECTORY, Mode::empty())?);
        *root = Some((opened.clone(), now));
        Ok(opened)
    }

    /// Opens what is there by a name of `relative_path`: a file, a folder, or something else.
    pub fn open(&self, name: &[u8], now: Instant) -> io::Result<File> {
        let root = self.root(now)?;
        let opened =
            if self.by_steps { open_by_steps(root.as_fd(), name) } else { open_beneath(&root, name) };
        Ok(File::from(opened?))
    }
}

/// Whether an error says that there is nothing to be had by a name.
pub fn is_absence(error: &io::Error) -> bool {
    // XDEV: it leads out. NXIO: a socket, or a device that is not there. INVAL: no file system takes the name.
    let absences = [
        Errno::NOENT,
        Errno::NOTDIR,
        Errno::LOOP,
        Errno::XDEV,
        Errno::NAMETOOLONG,
        Errno::ACCESS,
        Errno::PERM,
        Errno::NXIO,
        Errno::NODEV,
        Errno::INVAL,
        Errno::ILSEQ,
        Errno::OPNOTSUPP,
    ];
    Errno::from_io_error(error).is_some_and(|number| absences.contains(&number))
}

#[cfg(target_os = "linux")]
fn can_resolve_beneath(root: &OwnedFd) -> bool {
    // Some sandboxes forbid the calls that they do not know.
    open_beneath(root, b".").is_ok()
}

#[cfg(target_os = "linux")]
fn open_beneath(root: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};

    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 1..TRIES {
        match openat2(root, name, READ, Mode::empty(), within) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
    openat2(root, name, READ, Mode::empty(), within)
}

#[cfg(not(target_os = "linux"))]
fn can_resolve_beneath(_root: &OwnedFd) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(root: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    open_by_steps(root.as_fd(), name)
}

/// Opens folder by folder, and follows no link.
fn open_by_steps(root: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let mut names = name.split(|byte| *byte == b'/').peekable();
    let mut folder: Option<OwnedFd> = None;
    while let Some(name) = names.next() {
        // The names are checked, and this is the last line.
        if matches!(name, b"" | b".." | b".") {
            return Err(Errno::NOENT);
        }
        let flags = if names.peek().is_some() { DIRECTORY } else { READ };
        let at = folder.as_ref().map_or(root, |folder| folder.as_fd());
        folder = Some(openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty())?);
    }
    folder.ok_or(Errno::NOENT)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    struct Tree(PathBuf);

    impl Tree {
        /// `inside/` with files and links, beside `outside`.
        fn new(name: &str) -> Self {
            let base = std::env::temp_dir().join(format!("hoop-net-{}-{name}", std::process::id()));
            let inside = base.join("inside");
            std::fs::create_dir_all(inside.join("folder")).expect("folders");
            std::fs::write(base.join("outside"), "outside").expect("outside");
            std::fs::write(inside.join("file"), "file").expect("a file");
            std::fs::write(inside.join("folder/file"), "deep").expect("a file");
            for (link, target) in [
                ("near", Path::new("file")),
                ("down", Path::new("folder")),
                ("folder/up", Path::new("../file")),
                ("out", Path::new("../outside")),
                ("away", Path::new("/etc")),
                ("self", Path::new("self")),
                ("proc", Path::new("/proc/self/root")),
            ] {
                symlink(target, inside.join(link)).expect("a link");
            }
            Self(base)
        }

        fn folder(&self, by_steps: bool) -> Folder {
            let folder = Folder::new(self.0.join("inside")).expect("a folder");
            Folder { by_steps: by_steps || folder.by_steps, ..folder }
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn content(folder: &Folder, name: &str) -> io::Result<String> {
        io::read_to_string(folder.open(name.as_bytes(), Instant::now())?)
    }

    #[test]
    fn nothing_outside_is_opened_in_either_way() {
        let tree = Tree::new("tree");
        for by_steps in [false, true] {
            let folder = tree.folder(by_steps);
            assert_eq!(content(&folder, "file").expect("a file"), "file");
            assert_eq!(content(&folder, "folder/file").expect("a file"), "deep");
            for name in [
                "out",
                "away/passwd",
                "self",
                "../outside",
                "folder/../../outside",
                "/etc/passwd",
                "proc/etc/passwd",
            ] {
                let error = content(&folder, name).expect_err(name);
                assert!(is_absence(&error), "{name}: {error}");
            }
        }
    }

    #[test]
    fn links_within_are_followed_where_the_system_sees_to_it() {
        let tree = Tree::new("links");
        let folder = tree.folder(false);
        for (name, expected) in [("near", "file"), ("down/file", "deep"), ("folder/up", "file")] {
            match folder.by_steps {
                false => assert_eq!(content(&folder, name).expect("a file"), expected),
                true => assert!(content(&folder, name).is_err()),
            }
        }
        let folder = tree.folder(true);
        assert!(content(&folder, "near").is_err() && content(&folder, "down/file").is_err());
    }

    #[test]
    fn a_pipe_is_opened_without_waiting_for_its_writer() {
        let tree = Tree::new("pipe");
        let pipe = tree.0.join("inside/pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
        assert!(made.success());
        let opened = tree.folder(false).open(b"pipe", Instant::now()).expect("opened");
        assert!(!opened.metadata().expect("facts").is_file());
    }
}
