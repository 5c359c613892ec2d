//! Lines of what has arrived so far, each looked at once.

use memchr::memchr;

use crate::refusal::Refusal;

/// How far a reader of lines has come in bytes that grow at their end.
#[derive(Debug, Default, Clone, Copy)]
pub struct Lines {
    /// Where the line at hand begins.
    begin: usize,
    /// Up to where there is known to be no end of it.
    searched: usize,
}

/// The next line, as far as it has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// All of it, without its end; and where it ends, its end included.
    Whole(&'a [u8], usize),
    /// Its beginning.
    Part(&'a [u8]),
}

impl Lines {
    /// The next line of `bytes`, which are those of the last call and what came after them.
    ///
    /// A whole line keeps its carriage return: [`without_end`] takes it away, or refuses.
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Line<'a> {
        let unsearched = bytes.get(self.searched..).unwrap_or_default();
        let Some(at) = memchr(b'\n', unsearched) else {
            self.searched = bytes.len();
            return Line::Part(bytes.get(self.begin..).unwrap_or_default());
        };
        let end = self.searched + at;
        let line = bytes.get(self.begin..end).unwrap_or_default();
        *self = Self { begin: end + 1, searched: end + 1 };
        Line::Whole(line, end + 1)
    }
}

/// A line without the carriage return that must be its last byte.
pub fn without_end(line: &[u8]) -> Result<&[u8], Refusal> {
    line.strip_suffix(b"\r").ok_or(Refusal::BareLineFeed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_after_the_other_as_they_arrive() {
        let mut lines = Lines::default();
        assert_eq!(lines.next(b"ab"), Line::Part(b"ab"));
        assert_eq!(lines.next(b"abc\r\nd"), Line::Whole(b"abc\r", 5));
        assert_eq!(lines.next(b"abc\r\nd"), Line::Part(b"d"));
        assert_eq!(lines.next(b"abc\r\nd\n"), Line::Whole(b"d", 7));
    }

    #[test]
    fn a_line_feed_alone_ends_nothing() {
        assert_eq!(without_end(b"a\r"), Ok(&b"a"[..]));
        assert_eq!(without_end(b"a"), Err(Refusal::BareLineFeed));
        assert_eq!(without_end(b""), Err(Refusal::BareLineFeed));
    }
}
