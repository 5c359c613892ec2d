//! multipart/form-data as it arrives (RFC 7578; boundaries by RFC 2046 section 5.1.1).
//!
//! A boundary begins with a line break, and has none in it. So of what may be the beginning of one at the end
//! of a chunk only its length is kept: the bytes are the boundary's own.

use memchr::memmem::Finder;

use crate::charset::Charset;
use crate::flaw::{Flaw, Problem};
use crate::limits::Limits;
use crate::part_head::PartHead;

/// What comes next in a form.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A part begins.
    Part(PartHead),
    /// Some of its content.
    Data(&'a [u8]),
    /// The part is complete.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary; what stands there says nothing.
    Preamble,
    /// Behind a boundary.
    Boundary(Behind),
    Head,
    Content,
    /// Behind the last boundary; what stands there says nothing.
    Epilogue,
}

/// What has come behind a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    Padding,
    Dash,
    Return,
}

/// The part that is being read.
#[derive(Debug, Default)]
struct Current {
    name: String,
    is_file: bool,
    begins: u64,
    size: usize,
}

/// Reads a form that comes in chunks.
#[derive(Debug)]
pub struct Multipart {
    limits: Limits,
    charset: Charset,
    finder: Finder<'static>,
    state: State,
    /// Bytes of the body so far.
    position: u64,
    /// How many bytes of the boundary the last chunk ended with.
    matched: usize,
    /// How many of those have not come as content: a line break that is not the content's own.
    borrowed: usize,
    skipped: usize,
    head: Vec<u8>,
    /// How many bytes of the empty line that ends a head have come.
    head_end: usize,
    current: Current,
    fields: usize,
    files: usize,
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const LINE_BREAK: usize = 2;

impl Multipart {
    /// A reader for forms with this boundary, which must not have line breaks in it.
    pub fn new(boundary: &[u8], charset: Charset, limits: Limits) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        Self {
            limits,
            charset,
            finder: Finder::new(&delimiter).into_owned(),
            state: State::Preamble,
            position: 0,
            // The first boundary may begin the body, without a line break before it.
            matched: LINE_BREAK,
            borrowed: LINE_BREAK,
            skipped: 0,
            head: Vec::new(),
            head_end: 0,
            current: Current::default(),
            fields: 0,
            files: 0,
        }
    }

    /// Reads a chunk. After a flaw there is nothing more to be read.
    pub fn feed(&mut self, chunk: &[u8], on: &mut impl FnMut(Event<'_>)) -> Result<(), Flaw> {
        let mut rest = chunk;
        while let [first, ..] = rest {
            let read = match self.state {
                State::Preamble | State::Content => self.content(rest, on)?,
                State::Boundary(behind) => {
                    self.state = self.behind_boundary(behind, *first)?;
                    1
                }
                State::Head => self.head(rest, on)?,
                State::Epilogue => rest.len(),
            };
            self.position += read as u64;
            rest = rest.get(read..).unwrap_or_default();
        }
        Ok(())
    }

    /// Whether the body may end here.
    pub fn finish(&self) -> Result<(), Flaw> {
        match self.state {
            State::Epilogue => Ok(()),
            // No body at all has no fields.
            State::Preamble if self.position == 0 => Ok(()),
            State::Preamble => Err(Problem::NoBoundary.at(0)),
            State::Content => Err(Problem::UnfinishedPart(self.current.name.clone()).at(self.position)),
            State::Boundary(_) | State::Head => Err(Problem::Unfinished.at(self.position)),
        }
    }

    fn content(&mut self, rest: &[u8], on: &mut impl FnMut(Event<'_>)) -> Result<usize, Flaw> {
        let length = self.finder.needle().len();
        if self.matched > 0 {
            let expected = self.finder.needle().get(self.matched..).unwrap_or_default();
            let common = expected.iter().zip(rest).take_while(|(one, other)| one == other).count();
            if common == expected.len() {
                self.end_part(on);
                return Ok(common);
            }
            if common == rest.len() {
                self.matched += common;
                return Ok(common);
            }
            let (held, borrowed) = (std::mem::take(&mut self.matched), std::mem::take(&mut self.borrowed));
            self.grow(held - borrowed)?;
            if self.state == State::Content && held > borrowed {
                on(Event::Data(self.finder.needle().get(borrowed..held).unwrap_or_default()));
            }
        }
        let (data, read) = match self.finder.find(rest) {
            Some(at) => (at, at + length),
            None => {
                self.matched = self.begun(rest);
                (rest.len() - self.matched, rest.len())
            }
        };
        if data > 0 {
            self.grow(data)?;
            if self.state == State::Content {
                on(Event::Data(rest.get(..data).unwrap_or_default()));
            }
        }
        if read > data + self.matched {
            self.end_part(on);
        }
        Ok(read)
    }

    /// How many bytes at the end of a chunk may begin a boundary.
    fn begun(&self, chunk: &[u8]) -> usize {
        let from = chunk.len().saturating_sub(self.finder.needle().len() - 1);
        let tail = chunk.get(from..).unwrap_or_default();
        let Some(at) = memchr::memrchr(b'\r', tail) else { return 0 };
        let candidate = tail.get(at..).unwrap_or_default();
        if self.finder.needle().starts_with(candidate) { candidate.len() } else { 0 }
    }

    /// Counts what has come of a part, or of the preamble.
    fn grow(&mut self, count: usize) -> Result<(), Flaw> {
        if self.state == State::Preamble {
            self.skipped += count;
            return if self.skipped > self.limits.head { Err(Problem::NoBoundary.at(0)) } else { Ok(()) };
        }
        self.current.size += count;
        if self.current.is_file || self.current.size <= self.limits.field_size {
            return Ok(());
        }
        let name = std::mem::take(&mut self.current.name);
        Err(Problem::FieldTooLarge { name, most: self.limits.field_size }.at(self.current.begins))
    }

    fn end_part(&mut self, on: &mut impl FnMut(Event<'_>)) {
        (self.matched, self.borrowed) = (0, 0);
        if self.state == State::Content {
            on(Event::End);
        }
        self.state = State::Boundary(Behind::Nothing);
    }

    fn behind_boundary(&mut self, behind: Behind, byte: u8) -> Result<State, Flaw> {
        Ok(match (behind, byte) {
            (Behind::Nothing, b'-') => State::Boundary(Behind::Dash),
            (Behind::Dash, b'-') => State::Epilogue,
            (Behind::Nothing | Behind::Padding, b' ' | b'\t') => State::Boundary(Behind::Padding),
            (Behind::Nothing | Behind::Padding, b'\r') => State::Boundary(Behind::Return),
            (Behind::Return, b'\n') => {
                self.head.clear();
                // The line break behind the boundary is the first half of one that ends a head at once.
                self.head_end = LINE_BREAK;
                State::Head
            }
            _ => return Err(Problem::AfterBoundary.at(self.position)),
        })
    }

    fn head(&mut self, rest: &[u8], on: &mut impl FnMut(Event<'_>)) -> Result<usize, Flaw> {
        let begins = self.position - self.head.len() as u64;
        for (at, byte) in rest.iter().enumerate() {
            if self.head.len() == self.limits.head {
                return Err(Problem::HeadTooLong(self.limits.head).at(begins));
            }
            self.head.push(*byte);
            let continues = END_OF_HEAD.get(self.head_end) == Some(byte);
            self.head_end = if continues { self.head_end + 1 } else { usize::from(*byte == b'\r') };
            if self.head_end == END_OF_HEAD.len() {
                let head = PartHead::parse(&self.head, begins, self.charset, &self.limits)?;
                self.begin_part(&head, begins)?;
                on(Event::Part(head));
                return Ok(at + 1);
            }
        }
        Ok(rest.len())
    }

    fn begin_part(&mut self, head: &PartHead, begins: u64) -> Result<(), Flaw> {
        let is_file = head.filename.is_some();
        if is_file {
            self.files += 1;
        } else {
            self.fields += 1;
        }
        if self.files > self.limits.files {
            return Err(Problem::TooManyFiles(self.limits.files).at(begins));
        }
        if self.fields > self.limits.fields {
            return Err(Problem::TooManyFields(self.limits.fields).at(begins));
        }
        self.current = Current { name: head.name.clone(), is_file, begins: head.content_at, size: 0 };
        self.state = State::Content;
        // A boundary right behind the head shares its line break with it: the part is empty.
        (self.matched, self.borrowed) = (LINE_BREAK, LINE_BREAK);
        Ok(())
    }
}
