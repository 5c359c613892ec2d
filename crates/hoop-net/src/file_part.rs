//! A part of a file as a response's body: read as the peer takes it, never all at once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;

/// What is read at once. The read is on the loop's own thread: short, and mostly from memory.
const READ_AT_ONCE: u64 = 64 * 1024;

/// So many bytes of a file, from a place on.
#[derive(Debug)]
pub struct FilePart {
    file: File,
    from: u64,
    left: u64,
}

impl FilePart {
    /// `length` bytes of `file` from `from` on; the file's own position plays no part.
    pub fn new(file: File, from: u64, length: u64) -> Self {
        Self { file, from, left: length }
    }

    /// How many bytes it makes.
    #[expect(clippy::len_without_is_empty, reason = "an empty part is as good as any")]
    pub fn len(&self) -> u64 {
        self.left
    }

    /// The next bytes, and what is left then. A file that has become shorter is an error.
    pub fn read(mut self) -> io::Result<(Bytes, Option<Self>)> {
        let wanted = self.left.min(READ_AT_ONCE) as usize;
        let mut bytes = vec![0; wanted];
        let read = loop {
            match self.file.read_at(&mut bytes, self.from) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if read == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(read);
        self.from += read as u64;
        self.left -= read as u64;
        let rest = (self.left > 0).then_some(self);
        Ok((bytes.into(), rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("hoop-net-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("written");
        let file = File::open(&path).expect("opened");
        std::fs::remove_file(&path).expect("removed");
        file
    }

    #[test]
    fn a_part_is_read_piece_by_piece() {
        let content: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        let mut part = Some(FilePart::new(file("pieces", &content), 10, 150_000));
        let mut read = Vec::new();
        while let Some(now) = part {
            let (bytes, rest) = now.read().expect("read");
            assert!(bytes.len() as u64 <= READ_AT_ONCE);
            read.extend_from_slice(&bytes);
            part = rest;
        }
        assert_eq!(read, &content[10..150_010]);
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error() {
        let (_, rest) = FilePart::new(file("short", b"four"), 0, 5).read().expect("what is there");
        let error = rest.expect("one more").read().expect_err("nothing more");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
