//! The gate: which bytes of a connection may pass, and where its requests begin.

use crate::chunks;
use crate::fields::Field;
use crate::framing::{Framing, HeadFacts, check_trailer};
use crate::limits::MessageLimits;
use crate::lines::{Line, Lines, without_end};
use crate::refusal::Refusal;
use crate::request_line::{RequestLine, check_length};

/// Follows what a client sends over one connection.
///
/// A head passes whole or not at all, and so do a chunk's size and a trailer. Data passes as it comes.
#[derive(Debug)]
pub struct Gate {
    limits: MessageLimits,
    stage: Stage,
    /// Lines of what has not passed yet.
    lines: Lines,
    head: HeadFacts,
    /// Something other than HTTP may follow the request at hand.
    may_leave_http: bool,
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
    /// No HTTP any more.
    Other,
    Refused(Stop),
}

/// What becomes of the bytes that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// So many of them may pass.
    pub passes: usize,
    /// Heads among those, each whole.
    pub heads: u32,
    /// Why the others may not.
    pub stop: Stop,
}

/// Why bytes do not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// More has to come before they can be judged, if there are any.
    Unfinished,
    /// Earlier requests have to be answered first.
    Answers,
    /// They belong to a head that is refused. Nothing will pass any more.
    RefusedHead(Refusal),
    /// They belong to the body of a request whose head has passed. Nothing will pass any more.
    RefusedBody(Refusal),
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// To a head.
    Head,
    /// To a body.
    Body,
    /// To whatever the answer to the last request makes of it.
    Undecided,
    /// To something other than HTTP.
    Other,
    /// To nothing that will pass.
    Refused,
}

/// What one step made of the bytes it was given.
enum Step {
    /// So many belong to the next stage's past.
    Passed(usize),
    /// The same, and they were a head.
    Head(usize),
    Unfinished,
    Answers,
}

impl Gate {
    /// A gate before a connection's first byte.
    pub fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            stage: Stage::Head,
            lines: Lines::default(),
            head: HeadFacts::default(),
            may_leave_http: false,
            body: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    /// Looks at what has arrived and not passed: the rest of the last call's bytes, and what came after.
    ///
    /// At most `room` heads pass in this call.
    pub fn inspect(&mut self, bytes: &[u8], room: u32) -> Inspection {
        let (mut passes, mut heads) = (0, 0);
        loop {
            let rest = bytes.get(passes..).unwrap_or_default();
            if rest.is_empty() {
                return Inspection { passes, heads, stop: self.stop() };
            }
            let step = match self.stage {
                Stage::Head if heads == room => Ok(Step::Answers),
                Stage::Head => self.head(rest),
                Stage::Length(left) => Ok(self.data(rest, left, Stage::Length)),
                Stage::ChunkData(left) => Ok(self.data(rest, left, Stage::ChunkData)),
                Stage::ChunkSize => self.chunk_size(rest),
                Stage::ChunkEnd => self.chunk_end(rest),
                Stage::Trailers(count) => self.trailer(rest, count),
                Stage::Undecided => Ok(Step::Answers),
                Stage::Other => Ok(Step::Passed(rest.len())),
                Stage::Refused(stop) => return Inspection { passes, heads, stop },
            };
            match step {
                Ok(Step::Passed(bytes)) => passes += bytes,
                Ok(Step::Head(bytes)) => {
                    passes += bytes;
                    heads += 1;
                }
                Ok(Step::Unfinished) => return Inspection { passes, heads, stop: Stop::Unfinished },
                Ok(Step::Answers) => return Inspection { passes, heads, stop: Stop::Answers },
                Err(refusal) => return Inspection { passes, heads, stop: self.refuse(refusal) },
            }
        }
    }

    /// Refuses the request at hand, for a reason of the caller's: it takes too long.
    pub fn refuse(&mut self, refusal: Refusal) -> Stop {
        let stop = match self.stage {
            Stage::Refused(stop) => stop,
            Stage::Head | Stage::Undecided | Stage::Other => Stop::RefusedHead(refusal),
            _ => Stop::RefusedBody(refusal),
        };
        self.stage = Stage::Refused(stop);
        stop
    }

    /// The answer to the last request is known: whether what follows is something other than HTTP.
    pub fn decide(&mut self, leaves_http: bool) {
        if matches!(self.stage, Stage::Refused(_) | Stage::Other) {
            return;
        }
        self.may_leave_http = false;
        if leaves_http {
            self.stage = Stage::Other;
        } else if self.stage == Stage::Undecided {
            self.stage = Stage::Head;
        }
    }

    /// Whether the last head that has passed is of a request whose answer has to be told to
    /// [`Self::decide`].
    pub fn awaits_decision(&self) -> bool {
        self.may_leave_http
    }

    /// What the next byte belongs to.
    pub fn position(&self) -> Position {
        match self.stage {
            Stage::Head => Position::Head,
            Stage::Undecided => Position::Undecided,
            Stage::Other => Position::Other,
            Stage::Refused(_) => Position::Refused,
            _ => Position::Body,
        }
    }

    fn stop(&self) -> Stop {
        match self.stage {
            Stage::Refused(stop) => stop,
            Stage::Undecided => Stop::Answers,
            _ => Stop::Unfinished,
        }
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Step, Refusal> {
        loop {
            let begins = self.head.line.is_none();
            let (line, end) = match self.lines.next(bytes) {
                Line::Whole(line, end) => (line, end),
                Line::Part(part) => {
                    if begins {
                        check_length(part, bytes.len() - part.len(), &self.limits)?;
                    }
                    return if bytes.len() > self.limits.head {
                        Err(Refusal::HeadTooLarge)
                    } else {
                        Ok(Step::Unfinished)
                    };
                }
            };
            if begins {
                check_length(line, end - line.len() - 1, &self.limits)?;
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
                self.head.line = Some(RequestLine::read(line, &self.limits)?);
                continue;
            }
            self.head.fields += 1;
            if self.head.fields > self.limits.fields {
                return Err(Refusal::TooManyFields);
            }
            self.head.take(Field::read(line)?)?;
        }
    }

    fn head_complete(&mut self, end: usize) -> Result<Step, Refusal> {
        self.lines = Lines::default();
        let head = std::mem::take(&mut self.head);
        self.may_leave_http = head.may_leave_http();
        (self.body, self.extensions, self.trailers) = (0, 0, 0);
        match head.framing() {
            Framing::Length(0) => self.message_complete(),
            // A body that says beforehand that it is too large is refused before its request passes.
            Framing::Length(length) if length > self.limits.body => return Err(Refusal::BodyTooLarge),
            Framing::Length(length) => self.stage = Stage::Length(length),
            Framing::Chunked => self.stage = Stage::ChunkSize,
        }
        Ok(Step::Head(end))
    }

    fn message_complete(&mut self) {
        self.stage = if self.may_leave_http { Stage::Undecided } else { Stage::Head };
    }

    fn data(&mut self, bytes: &[u8], left: u64, more: impl Fn(u64) -> Stage) -> Step {
        let passes = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - passes as u64;
        match more(left) {
            Stage::ChunkData(0) => self.stage = Stage::ChunkEnd,
            Stage::Length(0) => self.message_complete(),
            stage => self.stage = stage,
        }
        Step::Passed(passes)
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<Step, Refusal> {
        let (line, end) = match self.lines.next(bytes) {
            Line::Whole(line, end) => (line, end),
            Line::Part(part) if part.len() >= chunks::LONGEST_LINE => return Err(Refusal::ChunkExtensions),
            Line::Part(_) => return Ok(Step::Unfinished),
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
        Ok(Step::Passed(end))
    }

    fn chunk_end(&mut self, bytes: &[u8]) -> Result<Step, Refusal> {
        match bytes {
            [b'\r', b'\n', ..] => {
                self.stage = Stage::ChunkSize;
                Ok(Step::Passed(2))
            }
            [b'\r'] => Ok(Step::Unfinished),
            _ => Err(Refusal::Chunk),
        }
    }

    fn trailer(&mut self, bytes: &[u8], count: usize) -> Result<Step, Refusal> {
        let room = self.limits.head.saturating_sub(self.trailers);
        let (line, end) = match self.lines.next(bytes) {
            Line::Whole(line, end) => (line, end),
            Line::Part(part) if part.len() > room => return Err(Refusal::HeadTooLarge),
            Line::Part(_) => return Ok(Step::Unfinished),
        };
        self.lines = Lines::default();
        if end > room {
            return Err(Refusal::HeadTooLarge);
        }
        self.trailers += end;
        let line = without_end(line)?;
        if line.is_empty() {
            self.message_complete();
            return Ok(Step::Passed(end));
        }
        if count == self.limits.fields {
            return Err(Refusal::TooManyFields);
        }
        check_trailer(Field::read(line)?)?;
        self.stage = Stage::Trailers(count + 1);
        Ok(Step::Passed(end))
    }
}
