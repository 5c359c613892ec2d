//! The body of a response as it arrives: which bytes are content, and where it ends (RFC 9112 section 7).

use memchr::memchr;

use crate::chunks::{self, LONGEST_EXTENSIONS, LONGEST_LINE};
use crate::fields::Field;
use crate::framing::check_trailer;
use crate::lines::without_end;
use crate::response::{BodyFraming, Breach};

/// What follows the last chunk, in bytes.
const LONGEST_TRAILERS: usize = 16 * 1024;

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyReader {
    state: State,
    extensions: usize,
    trailers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    Close,
    Over,
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// So many of them are content.
    Content(usize),
    /// So many say how the body is framed, and there is more to look at.
    Framing(usize),
    /// A field behind the body, in so many bytes.
    Trailer(usize, Field<'a>),
    /// They do not say enough.
    More,
    /// The body is complete, and none of these are its own.
    Over,
}

impl BodyReader {
    /// At the beginning of a body.
    pub fn new(framing: BodyFraming) -> Self {
        let state = match framing {
            BodyFraming::Length(0) => State::Over,
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::ChunkSize,
            BodyFraming::Close => State::Close,
        };
        Self { state, extensions: 0, trailers: 0 }
    }

    /// Whether nothing more belongs to it.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// How many bytes of content are sure to be next, where that is known.
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::Length(left) | State::ChunkData(left) => Some(left),
            State::Over => Some(0),
            _ => None,
        }
    }

    /// How long the rest of it is, where that is known.
    pub fn length(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Over => Some(0),
            _ => None,
        }
    }

    /// Whether it is complete if the connection ends now.
    pub fn may_end(&self) -> bool {
        matches!(self.state, State::Close | State::Over)
    }

    /// Looks at the bytes that are next; what it says is content or framing is not to be shown again.
    pub fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Breach> {
        match self.state {
            State::Over => Ok(Step::Over),
            _ if bytes.is_empty() => Ok(Step::More),
            State::Close => Ok(Step::Content(bytes.len())),
            State::Length(left) | State::ChunkData(left) => {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.passed(taken);
                Ok(Step::Content(taken))
            }
            State::ChunkSize => self.chunk_size(bytes),
            State::ChunkEnd => match bytes {
                [b'\r', b'\n', ..] => {
                    self.state = State::ChunkSize;
                    Ok(Step::Framing(2))
                }
                [b'\r'] => Ok(Step::More),
                _ => Err(Breach::Chunk),
            },
            State::Trailers => self.trailer(bytes),
        }
    }

    /// So many bytes of content were taken that `left` has promised, without a look at them.
    pub fn passed(&mut self, taken: usize) {
        match &mut self.state {
            State::Length(left) => {
                *left = left.saturating_sub(taken as u64);
                if *left == 0 {
                    self.state = State::Over;
                }
            }
            State::ChunkData(left) => {
                *left = left.saturating_sub(taken as u64);
                if *left == 0 {
                    self.state = State::ChunkEnd;
                }
            }
            _ => {}
        }
    }

    fn chunk_size<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Breach> {
        let Some(line) = line(bytes, LONGEST_LINE).ok_or(Breach::Chunk)? else { return Ok(Step::More) };
        let read = without_end(line).and_then(chunks::read).map_err(|_| Breach::Chunk)?;
        let (size, extensions) = read;
        self.extensions += extensions;
        if self.extensions > LONGEST_EXTENSIONS {
            return Err(Breach::Chunk);
        }
        self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
        Ok(Step::Framing(line.len() + 1))
    }

    fn trailer<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Breach> {
        let room = LONGEST_TRAILERS.saturating_sub(self.trailers);
        let Some(line) = line(bytes, room).ok_or(Breach::Trailer)? else { return Ok(Step::More) };
        self.trailers += line.len() + 1;
        let text = without_end(line).map_err(|_| Breach::Trailer)?;
        if text.is_empty() {
            self.state = State::Over;
            return Ok(Step::Framing(line.len() + 1));
        }
        let field = Field::read(text).map_err(|_| Breach::Trailer)?;
        // What would frame a message frames none here, and is not shown (RFC 9110 section 6.5.1).
        Ok(match check_trailer(field) {
            Ok(()) => Step::Trailer(line.len() + 1, field),
            Err(_) => Step::Framing(line.len() + 1),
        })
    }
}

/// The next line without its line feed, `Some(None)` if it is not complete, `None` if it is too long.
fn line(bytes: &[u8], longest: usize) -> Option<Option<&[u8]>> {
    let within = bytes.get(..=longest).unwrap_or(bytes);
    match memchr(b'\n', within) {
        Some(end) => Some(within.get(..end)),
        None if within.len() > longest => None,
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The content and the trailers of what came, and how much came behind it.
    type Read = (Vec<u8>, Vec<String>, usize);

    /// Reads pieces as they arrive; `None` if the body is not complete.
    fn read(framing: BodyFraming, pieces: &[&[u8]]) -> Result<Option<Read>, Breach> {
        let (mut reader, mut waiting) = (BodyReader::new(framing), Vec::new());
        let (mut content, mut trailers) = (Vec::new(), Vec::new());
        for piece in pieces {
            waiting.extend_from_slice(piece);
            loop {
                let taken = match reader.step(&waiting)? {
                    Step::Content(taken) => {
                        content.extend_from_slice(&waiting[..taken]);
                        taken
                    }
                    Step::Framing(taken) => taken,
                    Step::Trailer(taken, field) => {
                        trailers.push(String::from_utf8_lossy(field.name).into_owned());
                        taken
                    }
                    Step::More | Step::Over => break,
                };
                waiting.drain(..taken);
            }
        }
        Ok(reader.may_end().then_some((content, trailers, waiting.len())))
    }

    const CHUNKED: &[u8] = b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nx-sum: 1\r\ncontent-length: 9\r\n\r\n";

    #[test]
    fn a_body_ends_where_its_length_says() {
        let read = |pieces: &[&[u8]]| read(BodyFraming::Length(5), pieces);
        assert_eq!(read(&[b"he", b"llo"]), Ok(Some((b"hello".to_vec(), vec![], 0))));
        assert_eq!(read(&[b"hello more"]), Ok(Some((b"hello".to_vec(), vec![], 5))));
        assert_eq!(read(&[b"hell"]), Ok(None));
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection() {
        assert_eq!(read(BodyFraming::Close, &[b"a", b"b"]), Ok(Some((b"ab".to_vec(), vec![], 0))));
        assert!(BodyReader::new(BodyFraming::Length(0)).is_over());
    }

    #[test]
    fn what_is_not_chunked_as_it_says_is_refused() {
        for bytes in ["zz\r\n", "-1\r\n", "5\nhello", "5\r\nhelloX", "fffffffffffffffff\r\n", "\r\n"] {
            assert_eq!(read(BodyFraming::Chunked, &[bytes.as_bytes()]), Err(Breach::Chunk), "{bytes:?}");
        }
        for bytes in ["0\r\nno colon\r\n", "0\r\n\n", "0\r\n a: b\r\n"] {
            assert_eq!(read(BodyFraming::Chunked, &[bytes.as_bytes()]), Err(Breach::Trailer), "{bytes:?}");
        }
        let long = [b'1'; LONGEST_LINE + 2];
        assert_eq!(read(BodyFraming::Chunked, &[&long]), Err(Breach::Chunk));
        let endless = format!("0\r\n{}", "a: b\r\n".repeat(LONGEST_TRAILERS / 6 + 1));
        assert_eq!(read(BodyFraming::Chunked, &[endless.as_bytes()]), Err(Breach::Trailer));
        let extensions = format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(LONGEST_EXTENSIONS / 200 + 1);
        assert_eq!(read(BodyFraming::Chunked, &[extensions.as_bytes()]), Err(Breach::Chunk));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_make_the_same_body(cuts in proptest::collection::vec(1usize..20, 1..40)) {
            let (mut pieces, mut rest) = (Vec::new(), CHUNKED);
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let whole = (b"hello world".to_vec(), vec!["x-sum".to_owned()], 0);
            prop_assert_eq!(read(BodyFraming::Chunked, &pieces), Ok(Some(whole)));
        }

        #[test]
        fn a_part_is_never_taken_for_the_whole(cut in 0usize..CHUNKED.len()) {
            prop_assert_eq!(read(BodyFraming::Chunked, &[&CHUNKED[..cut]]), Ok(None));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(BodyFraming::Chunked, &[&bytes]);
        }
    }
}
