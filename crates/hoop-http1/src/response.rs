//! The head of a response, and where its body ends (RFC 9112 sections 4 to 6).

use std::mem::MaybeUninit;
use std::ops::Range;

use httparse::{ParserConfig, Status};

use crate::fields::trimmed;
use crate::framing::decimal;

/// So many fields a head may have.
pub const MOST_FIELDS: usize = 100;

/// Why what came is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// No HTTP/1 at all.
    #[error("what the server sent is no head of an HTTP/1 response: {0}")]
    Head(httparse::Error),
    /// A body has one length.
    #[error("the server's Content-Length is no length, or says more than one")]
    ContentLength,
    /// A body is chunked, or it is not.
    #[error("the server's Transfer-Encoding is not 'chunked'")]
    TransferEncoding,
    /// A chunk is framed by its size and by its end.
    #[error("the server's body is not chunked as it says")]
    Chunk,
    /// What follows the last chunk.
    #[error("what follows the last chunk is no trailer, or too much")]
    Trailer,
}

/// How a response's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// By its length, which may be 0.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// A head that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// How many bytes it has.
    pub length: usize,
    /// Whether it says HTTP/1.0.
    pub is_old: bool,
    /// The status.
    pub status: u16,
    /// Where the words behind the status are.
    pub reason: Range<usize>,
    /// How the body is framed.
    pub framing: BodyFraming,
    /// Whether the server means to go on with the connection.
    pub keeps_alive: bool,
}

/// What the fields say about the message itself.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    stays: bool,
}

impl Facts {
    fn take(&mut self, name: &str, value: &[u8], is_old: bool) -> Result<(), Breach> {
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => {
                for each in value.split(|byte| *byte == b',').map(trimmed) {
                    let length = decimal(each).ok_or(Breach::ContentLength)?;
                    // Equal ones pass as one (RFC 9110 section 8.6).
                    if self.length.replace(length).is_some_and(|known| known != length) {
                        return Err(Breach::ContentLength);
                    }
                }
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                if is_old || self.chunked || !trimmed(value).eq_ignore_ascii_case(b"chunked") {
                    return Err(Breach::TransferEncoding);
                }
                self.chunked = true;
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for option in value.split(|byte| *byte == b',').map(trimmed) {
                    self.closes |= option.eq_ignore_ascii_case(b"close");
                    self.stays |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Reads a head; `None` if it is not complete. Each of its fields is shown to `each`: how long the whole head
/// is, the field's name, and where its value lies. That may happen before it turns out that the head is none.
///
/// `answers_head` says whether the request's method was HEAD.
pub fn read_head(
    bytes: &[u8],
    answers_head: bool,
    mut each: impl FnMut(usize, &str, Range<usize>),
) -> Result<Option<ResponseHead>, Breach> {
    let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, bytes, &mut room)
        .map_err(Breach::Head)?;
    let Status::Complete(length) = parsed else { return Ok(None) };
    let is_old = response.version == Some(0);
    let status = response.code.unwrap_or_default();
    let mut facts = Facts::default();
    for field in &*response.headers {
        facts.take(field.name, field.value, is_old)?;
        each(length, field.name, place(bytes, field.value));
    }
    let is_bodyless = answers_head || status / 100 == 1 || matches!(status, 204 | 304);
    let framing = match facts.length {
        _ if is_bodyless => BodyFraming::Length(0),
        _ if facts.chunked => BodyFraming::Chunked,
        Some(length) => BodyFraming::Length(length),
        None => BodyFraming::Close,
    };
    // Who says both may have been led to it: nothing is read behind that (RFC 9112 section 6.1).
    let is_doubtful = facts.chunked && facts.length.is_some();
    let keeps_alive = !facts.closes && !is_doubtful && framing != BodyFraming::Close && status != 101;
    Ok(Some(ResponseHead {
        length,
        is_old,
        status,
        reason: place(bytes, response.reason.unwrap_or_default().as_bytes()),
        framing,
        keeps_alive: keeps_alive && (!is_old || facts.stays),
    }))
}

/// Where a part of `bytes` lies in them.
fn place(bytes: &[u8], part: &[u8]) -> Range<usize> {
    let begin = (part.as_ptr().addr()).saturating_sub(bytes.as_ptr().addr());
    if part.is_empty() || begin + part.len() > bytes.len() { 0..0 } else { begin..begin + part.len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Option<ResponseHead>, Breach> {
        read_head(text.as_bytes(), false, |_, _, _| {})
    }

    fn framing(fields: &str) -> Result<(BodyFraming, bool), Breach> {
        let head = read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"))?.expect("it is complete");
        Ok((head.framing, head.keeps_alive))
    }

    #[test]
    fn a_head_says_what_follows() {
        assert_eq!(framing("content-length: 5"), Ok((BodyFraming::Length(5), true)));
        assert_eq!(framing("Transfer-Encoding: Chunked"), Ok((BodyFraming::Chunked, true)));
        assert_eq!(framing("a: b"), Ok((BodyFraming::Close, false)));
        assert_eq!(framing("content-length: 5\r\nconnection: x, Close"), Ok((BodyFraming::Length(5), false)));
        assert_eq!(framing("content-length: 5, 5\r\ncontent-length: 5"), Ok((BodyFraming::Length(5), true)));
        let both = framing("content-length: 5\r\ntransfer-encoding: chunked");
        assert_eq!(both, Ok((BodyFraming::Chunked, false)), "and nothing is read behind it");
    }

    #[test]
    fn old_servers_keep_a_connection_only_if_they_say_so() {
        let head = |fields: &str| {
            let text = format!("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n{fields}\r\n\r\n");
            read(&text).map(|head| head.expect("it is complete").keeps_alive)
        };
        assert_eq!(head("a: b"), Ok(false));
        assert_eq!(head("connection: keep-alive"), Ok(true));
        assert_eq!(head("transfer-encoding: chunked"), Err(Breach::TransferEncoding));
    }

    #[test]
    fn some_have_no_body_whatever_they_say() {
        let length = |status: u16, answers_head| {
            let text = format!("HTTP/1.1 {status} x\r\ncontent-length: 9\r\n\r\n");
            read_head(text.as_bytes(), answers_head, |_, _, _| {}).expect("a head").expect("complete").framing
        };
        assert_eq!(length(200, true), BodyFraming::Length(0));
        for status in [100, 103, 204, 304] {
            assert_eq!(length(status, false), BodyFraming::Length(0));
        }
        assert_eq!(length(200, false), BodyFraming::Length(9));
    }

    #[test]
    fn the_words_behind_the_status_are_found() {
        let text = "HTTP/1.1 404 Not There\r\n\r\n";
        let head = read(text).expect("a head").expect("complete");
        assert_eq!((head.status, &text[head.reason]), (404, "Not There"));
        assert_eq!(read("HTTP/1.1 200\r\n\r\n").expect("a head").expect("complete").reason, 0..0);
    }

    #[test]
    fn what_frames_no_body_is_refused() {
        for value in ["", "x", "-1", "+1", "5, 6", "5,", "9223372036854775808", "0x5"] {
            assert_eq!(framing(&format!("content-length: {value}")), Err(Breach::ContentLength), "{value}");
        }
        for value in ["", "gzip", "identity", "gzip, chunked", "chunked, chunked", "xchunked"] {
            let refused = framing(&format!("transfer-encoding: {value}"));
            assert_eq!(refused, Err(Breach::TransferEncoding), "{value}");
        }
        let twice = framing("content-length: 1\r\ncontent-length: 2");
        assert_eq!(twice, Err(Breach::ContentLength));
    }

    #[test]
    fn what_is_no_head_is_refused_before_it_is_complete() {
        for text in
            ["garbage", "HTTP/9.9 200 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n"]
        {
            assert!(matches!(read(text), Err(Breach::Head(_))), "{text}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MOST_FIELDS + 1));
        assert!(matches!(read(&many), Err(Breach::Head(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut seen = 0;
            if let Ok(Some(head)) = read_head(&bytes, false, |_, _, _| seen += 1) {
                prop_assert!(head.length <= bytes.len());
            }
            prop_assert!(seen <= MOST_FIELDS);
        }

        #[test]
        fn a_head_is_complete_at_its_last_byte_and_not_before(cut in 0usize..80) {
            let whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: b c\r\n\r\n";
            if let Some(part) = whole.get(..cut.min(whole.len() - 1)) {
                prop_assert_eq!(read(part), Ok(None));
            }
            prop_assert_eq!(read(whole).map(|head| head.map(|it| it.length)), Ok(Some(whole.len())));
        }
    }
}
