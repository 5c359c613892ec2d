//! Requests as they arrive: where each begins, what its head says, and which bytes are its body's.

use std::ops::Range;

use crate::chunks;
use crate::fields::Field;
use crate::framing::{Framing, HeadFacts, check_trailer};
use crate::limits::MessageLimits;
use crate::lines::{Line, Lines, without_end};
use crate::refusal::Refusal;
use crate::request_line::{RequestLine, check_length};

/// Reads what a client sends over one connection, one request after the other.
///
/// A head is read whole or not at all, and so are a chunk's size and a trailer. Data is passed on as it
/// comes. What is refused stays so: nothing is read behind it.
#[derive(Debug, Clone)]
pub struct RequestReader {
    limits: MessageLimits,
    stage: Stage,
    /// Lines of what was not passed over yet.
    lines: Lines,
    facts: HeadFacts,
    head: RequestHead,
    /// Of the body at hand: its bytes, those of its chunks' extensions, those of its trailers.
    body: u64,
    extensions: usize,
    trailers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The next byte begins or continues a head.
    Head,
    /// So many bytes of a body are left.
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    /// So many trailers came.
    Trailers(usize),
    /// The answer to the last request decides on what follows it.
    Undecided,
    Refused(Refusal),
}

/// Where in its bytes a head has what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// The method.
    pub method: Range<usize>,
    /// The request target.
    pub target: Range<usize>,
    /// The fields, in their order: name and value.
    pub fields: Vec<(Range<usize>, Range<usize>)>,
    /// What the fields say about the message itself.
    pub meaning: HeadMeaning,
}

/// What a head says about its message and its connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeadMeaning {
    /// HTTP/1.0, not 1.1.
    pub is_old: bool,
    /// How many bytes the body has; `None` if it comes in chunks.
    pub length: Option<u64>,
    /// The client wants to go on with the connection.
    pub keeps_alive: bool,
    /// The client waits for a word before it sends the body (RFC 9110 section 10.1.1).
    pub expects_continue: bool,
    /// The client takes trailers (RFC 9110 section 6.5.1).
    pub takes_trailers: bool,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// So many are a head; [`RequestReader::head`] says what is in it.
    Head(usize),
    /// So many are data of a body.
    Data(usize),
    /// So many say how a body is framed, or come behind it.
    Framing(usize),
    /// They do not say enough.
    More,
    /// What they are depends on the answer to the last request: [`RequestReader::goes_on`].
    Undecided,
}

impl RequestReader {
    /// A reader before a connection's first byte.
    pub fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            stage: Stage::Head,
            lines: Lines::default(),
            facts: HeadFacts::default(),
            head: RequestHead::default(),
            body: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    /// Looks at what has arrived and was not passed over: the rest of the last call's bytes, and what came
    /// after. What it says is a head, data or framing is not to be shown again.
    pub fn next_piece(&mut self, bytes: &[u8]) -> Result<Piece, Refusal> {
        let piece = match self.stage {
            Stage::Refused(refusal) => return Err(refusal),
            Stage::Undecided => return Ok(Piece::Undecided),
            _ if bytes.is_empty() => return Ok(Piece::More),
            Stage::Head => self.read_head(bytes),
            Stage::Length(left) => Ok(self.data(bytes, left, Stage::Length)),
            Stage::ChunkData(left) => Ok(self.data(bytes, left, Stage::ChunkData)),
            Stage::ChunkSize => self.chunk_size(bytes),
            Stage::ChunkEnd => self.chunk_end(bytes),
            Stage::Trailers(count) => self.trailer(bytes, count),
        };
        piece.map_err(|refusal| self.refuse(refusal))
    }

    /// The head that was read last.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// Refuses the request at hand, for a reason of the caller's: it takes too long. The first reason counts.
    pub fn refuse(&mut self, refusal: Refusal) -> Refusal {
        if let Stage::Refused(earlier) = self.stage {
            return earlier;
        }
        self.stage = Stage::Refused(refusal);
        refusal
    }

    /// The answer to the last request leaves the connection to HTTP.
    pub fn goes_on(&mut self) {
        if self.stage == Stage::Undecided {
            self.stage = Stage::Head;
        }
    }

    /// Whether the next byte belongs to a body.
    pub fn is_in_body(&self) -> bool {
        !self.is_between() && !matches!(self.stage, Stage::Refused(_))
    }

    /// Whether the next byte is data of a body.
    pub fn is_at_data(&self) -> bool {
        matches!(self.stage, Stage::Length(_) | Stage::ChunkData(_))
    }

    /// Whether all of the last request has come, if there was one.
    pub fn is_between(&self) -> bool {
        matches!(self.stage, Stage::Head | Stage::Undecided)
    }

    /// Whether the next byte belongs to a head.
    pub fn is_in_head(&self) -> bool {
        self.stage == Stage::Head
    }

    /// Gives back memory that a quiet connection has no use for.
    pub fn rest(&mut self) {
        self.head.fields = Vec::new();
    }

    fn read_head(&mut self, bytes: &[u8]) -> Result<Piece, Refusal> {
        loop {
            let begins = self.facts.line.is_none();
            let (line, end) = match self.lines.next(bytes) {
                Line::Whole(line, end) => (line, end),
                Line::Part(part) => {
                    if begins {
                        check_length(part, bytes.len() - part.len(), &self.limits)?;
                    }
                    return if bytes.len() > self.limits.head {
                        Err(Refusal::HeadTooLarge)
                    } else {
                        Ok(Piece::More)
                    };
                }
            };
            let begin = end - line.len() - 1;
            if begins {
                check_length(line, begin, &self.limits)?;
            }
            if end > self.limits.head {
                return Err(Refusal::HeadTooLarge);
            }
            let line = without_end(line)?;
            if line.is_empty() {
                // RFC 9112 section 2.2: one empty line ahead of a request is forgiven.
                match end {
                    2 => continue,
                    _ if begins => return Err(Refusal::RequestLine),
                    _ => return self.head_complete(end),
                }
            }
            if begins {
                self.request_line(line, begin)?;
            } else {
                self.field(line, begin)?;
            }
        }
    }

    fn request_line(&mut self, line: &[u8], begin: usize) -> Result<(), Refusal> {
        let read = RequestLine::read(line, &self.limits)?;
        self.head.method = begin..begin + read.method;
        self.head.target = self.head.method.end + 1..self.head.method.end + 1 + read.target;
        self.head.fields.clear();
        self.facts.line = Some(read);
        Ok(())
    }

    fn field(&mut self, line: &[u8], begin: usize) -> Result<(), Refusal> {
        if self.head.fields.len() == self.limits.fields {
            return Err(Refusal::TooManyFields);
        }
        let field = Field::read(line)?;
        let value = begin + field.value_at;
        let places = (begin..begin + field.name.len(), value..value + field.value.len());
        self.facts.take(field)?;
        self.head.fields.push(places);
        Ok(())
    }

    fn head_complete(&mut self, end: usize) -> Result<Piece, Refusal> {
        self.lines = Lines::default();
        let framing = self.facts.framing();
        self.head.meaning = self.facts.meaning();
        (self.body, self.extensions, self.trailers) = (0, 0, 0);
        match framing {
            Framing::Length(0) => self.message_complete(),
            // A body that says beforehand that it is too large is refused before its request is known.
            Framing::Length(length) if length > self.limits.body => return Err(Refusal::BodyTooLarge),
            Framing::Length(length) => self.stage = Stage::Length(length),
            Framing::Chunked => self.stage = Stage::ChunkSize,
        }
        Ok(Piece::Head(end))
    }

    fn message_complete(&mut self) {
        let facts = std::mem::take(&mut self.facts);
        self.stage = if facts.may_leave_http() { Stage::Undecided } else { Stage::Head };
    }

    fn data(&mut self, bytes: &[u8], left: u64, more: impl Fn(u64) -> Stage) -> Piece {
        let passes = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - passes as u64;
        match more(left) {
            Stage::ChunkData(0) => self.stage = Stage::ChunkEnd,
            Stage::Length(0) => self.message_complete(),
            stage => self.stage = stage,
        }
        Piece::Data(passes)
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<Piece, Refusal> {
        let (line, end) = match self.lines.next(bytes) {
            Line::Whole(line, end) => (line, end),
            Line::Part(part) if part.len() >= chunks::LONGEST_LINE => return Err(Refusal::ChunkExtensions),
            Line::Part(_) => return Ok(Piece::More),
        };
        self.lines = Lines::default();
        if end > chunks::LONGEST_LINE {
            return Err(Refusal::ChunkExtensions);
        }
        let (size, extensions) = chunks::read(without_end(line)?)?;
        self.extensions += extensions;
        if self.extensions > chunks::LONGEST_EXTENSIONS {
            return Err(Refusal::ChunkExtensions);
        }
        self.body = self.body.saturating_add(size);
        if self.body > self.limits.body {
            return Err(Refusal::BodyTooLarge);
        }
        self.stage = if size == 0 { Stage::Trailers(0) } else { Stage::ChunkData(size) };
        Ok(Piece::Framing(end))
    }

    fn chunk_end(&mut self, bytes: &[u8]) -> Result<Piece, Refusal> {
        match bytes {
            [b'\r', b'\n', ..] => {
                self.stage = Stage::ChunkSize;
                Ok(Piece::Framing(2))
            }
            [b'\r'] => Ok(Piece::More),
            _ => Err(Refusal::Chunk),
        }
    }

    fn trailer(&mut self, bytes: &[u8], count: usize) -> Result<Piece, Refusal> {
        let room = self.limits.head.saturating_sub(self.trailers);
        let (line, end) = match self.lines.next(bytes) {
            Line::Whole(line, end) => (line, end),
            Line::Part(part) if part.len() > room => return Err(Refusal::HeadTooLarge),
            Line::Part(_) => return Ok(Piece::More),
        };
        self.lines = Lines::default();
        if end > room {
            return Err(Refusal::HeadTooLarge);
        }
        self.trailers += end;
        let line = without_end(line)?;
        if line.is_empty() {
            self.message_complete();
            return Ok(Piece::Framing(end));
        }
        if count == self.limits.fields {
            return Err(Refusal::TooManyFields);
        }
        check_trailer(Field::read(line)?)?;
        self.stage = Stage::Trailers(count + 1);
        Ok(Piece::Framing(end))
    }
}
