//! Where a body ends, and what comes after it, as the head says (RFC 9112 section 6).

use crate::fields::Field;
use crate::refusal::Refusal;
use crate::request::HeadMeaning;
use crate::request_line::RequestLine;

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By its length, which may be 0.
    Length(u64),
    /// By chunks.
    Chunked,
}

/// Headers that frame a message; they are in nobody's trailers.
const FRAMING_FIELDS: [&str; 3] = ["transfer-encoding", "content-length", "host"];

/// What the head has said so far.
#[derive(Debug, Default, Clone, Copy)]
pub struct HeadFacts {
    pub line: Option<RequestLine>,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
    connection: ConnectionOptions,
    expects_continue: bool,
    takes_trailers: bool,
}

/// What the client says of the connection (RFC 9110 section 7.6.1).
#[derive(Debug, Default, Clone, Copy)]
struct ConnectionOptions {
    closes: bool,
    keeps_alive: bool,
    upgrades: bool,
}

impl ConnectionOptions {
    fn take(&mut self, field: Field<'_>) {
        for option in field.elements() {
            self.closes |= option.eq_ignore_ascii_case(b"close");
            self.keeps_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrades |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

impl HeadFacts {
    /// Takes in a header. Nearly all of them are of no concern, which their length tells.
    pub fn take(&mut self, field: Field<'_>) -> Result<(), Refusal> {
        match field.name.len() {
            14 if field.is("content-length") => return self.take_length(field.value),
            17 if field.is("transfer-encoding") => return self.take_coding(field),
            7 if field.is("upgrade") => self.upgrade = true,
            10 if field.is("connection") => self.connection.take(field),
            6 if field.is("expect") => {
                self.expects_continue |= field.value.eq_ignore_ascii_case(b"100-continue");
            }
            2 if field.is("te") => {
                self.takes_trailers |= field.elements().any(|each| each.eq_ignore_ascii_case(b"trailers"));
            }
            _ => {}
        }
        Ok(())
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked {
            return Err(Refusal::TwoLengths);
        }
        // RFC 9110 section 8.6 lets equal lengths pass as one; nobody in good faith sends two.
        if self.length.is_some() {
            return Err(Refusal::ContentLength);
        }
        self.length = Some(decimal(value).ok_or(Refusal::ContentLength)?);
        Ok(())
    }

    fn take_coding(&mut self, field: Field<'_>) -> Result<(), Refusal> {
        if self.line.is_some_and(|line| line.is_old) {
            return Err(Refusal::TransferEncodingInOldVersion);
        }
        if self.length.is_some() {
            return Err(Refusal::TwoLengths);
        }
        if self.chunked {
            return Err(Refusal::TransferEncoding);
        }
        if !field.value.eq_ignore_ascii_case(b"chunked") {
            let known = ["gzip", "x-gzip", "deflate", "compress", "x-compress"];
            let mut elements: Vec<&[u8]> = field.elements().collect();
            let last = elements.pop().unwrap_or_default();
            let is_known = |each: &&[u8]| known.iter().any(|name| each.eq_ignore_ascii_case(name.as_bytes()));
            return Err(if last.eq_ignore_ascii_case(b"chunked") && elements.iter().all(is_known) {
                Refusal::UnknownCoding
            } else {
                Refusal::TransferEncoding
            });
        }
        self.chunked = true;
        Ok(())
    }

    /// How the body is framed, now that the head is complete.
    pub fn framing(&self) -> Framing {
        if self.chunked { Framing::Chunked } else { Framing::Length(self.length.unwrap_or(0)) }
    }

    /// What the head says of its message, now that it is complete.
    pub fn meaning(&self) -> HeadMeaning {
        let is_old = self.line.is_some_and(|line| line.is_old);
        let ConnectionOptions { closes, keeps_alive, .. } = self.connection;
        HeadMeaning {
            is_old,
            length: if self.chunked { None } else { Some(self.length.unwrap_or(0)) },
            // RFC 9112 section 9.3.
            keeps_alive: !closes && (keeps_alive || !is_old),
            // RFC 9110 section 10.1.1: the word of an old client is not heeded.
            expects_continue: self.expects_continue && !is_old,
            takes_trailers: self.takes_trailers && !is_old,
        }
    }

    /// Whether something other than HTTP may follow, if the answer is of that kind.
    pub fn may_leave_http(&self) -> bool {
        self.upgrade && self.connection.upgrades || self.line.is_some_and(|line| line.is_connect)
    }
}

/// Checks a trailer.
pub fn check_trailer(field: Field<'_>) -> Result<(), Refusal> {
    if FRAMING_FIELDS.iter().any(|name| field.is(name)) { Err(Refusal::Trailer) } else { Ok(()) }
}

/// A number of nothing but digits, below 2^63.
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    (number <= i64::MAX.cast_unsigned()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(lines: &[&str], is_old: bool) -> Result<Framing, Refusal> {
        let line = RequestLine { method: 4, target: 1, is_old, is_connect: false };
        let mut facts = HeadFacts { line: Some(line), ..HeadFacts::default() };
        for line in lines {
            facts.take(Field::read(line.as_bytes())?)?;
        }
        Ok(facts.framing())
    }

    #[test]
    fn a_body_has_one_length_or_chunks() {
        assert_eq!(framing(&[], false), Ok(Framing::Length(0)));
        assert_eq!(framing(&["Content-Length: 005"], true), Ok(Framing::Length(5)));
        assert_eq!(framing(&["TRANSFER-ENCODING:\tChunked "], false), Ok(Framing::Chunked));
        let largest = format!("content-length: {}", i64::MAX);
        assert_eq!(framing(&[&largest], false), Ok(Framing::Length(i64::MAX.cast_unsigned())));
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        for value in ["", "+5", "-5", "5, 5", "5 5", "0x5", "5.0", "5\u{0661}", "9223372036854775808"] {
            let line = format!("Content-Length: {value}");
            assert_eq!(framing(&[&line], false), Err(Refusal::ContentLength), "{value}");
        }
        let twice = framing(&["Content-Length: 5", "Content-Length: 5"], false);
        assert_eq!(twice, Err(Refusal::ContentLength));
    }

    #[test]
    fn a_coding_other_than_chunked_is_refused() {
        for value in [
            "",
            "xchunked",
            "chunkedx",
            "chunked, chunked",
            "chunked, gzip",
            "identity",
            "\"chunked\"",
            "chunked;q=1",
            ",chunked",
            "chunked,",
            "gzip, identity, chunked",
            "chunked\u{b}",
        ] {
            let line = format!("Transfer-Encoding: {value}");
            let refusal = framing(&[&line], false).expect_err(value);
            assert!(matches!(refusal, Refusal::TransferEncoding | Refusal::FieldValue), "{value}: {refusal}");
        }
        assert_eq!(framing(&["Transfer-Encoding: gzip, chunked"], false), Err(Refusal::UnknownCoding));
        let twice = ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"];
        assert_eq!(framing(&twice, false), Err(Refusal::TransferEncoding));
        let old = framing(&["Transfer-Encoding: chunked"], true);
        assert_eq!(old, Err(Refusal::TransferEncodingInOldVersion));
    }

    #[test]
    fn two_kinds_of_length_are_refused_in_either_order() {
        let (length, chunks) = ("Content-Length: 5", "Transfer-Encoding: chunked");
        assert_eq!(framing(&[length, chunks], false), Err(Refusal::TwoLengths));
        assert_eq!(framing(&[chunks, length], false), Err(Refusal::TwoLengths));
    }

    #[test]
    fn a_head_says_whether_its_connection_stays() {
        let stays = |line: &str, is_old| {
            let line_at_hand = RequestLine { method: 3, target: 1, is_old, is_connect: false };
            let mut facts = HeadFacts { line: Some(line_at_hand), ..HeadFacts::default() };
            facts.take(Field::read(line.as_bytes()).expect("a header")).expect("no framing");
            facts.meaning().keeps_alive
        };
        for (line, new, old) in [
            ("a: b", true, false),
            ("Connection: Keep-Alive", true, true),
            ("connection: TE, close", false, false),
            ("connection: close, keep-alive", false, false),
        ] {
            assert_eq!((stays(line, false), stays(line, true)), (new, old), "{line}");
        }
    }

    #[test]
    fn an_old_client_expects_nothing() {
        let meaning = |is_old| {
            let line = RequestLine { method: 3, target: 1, is_old, is_connect: false };
            let mut facts = HeadFacts { line: Some(line), ..HeadFacts::default() };
            for line in ["Expect: 100-Continue", "TE: gzip, Trailers"] {
                facts.take(Field::read(line.as_bytes()).expect("a header")).expect("no framing");
            }
            (facts.meaning().expects_continue, facts.meaning().takes_trailers)
        };
        assert_eq!((meaning(false), meaning(true)), ((true, true), (false, false)));
    }

    #[test]
    fn an_upgrade_is_asked_for_by_two_headers() {
        let asks = |lines: &[&str]| {
            let mut facts = HeadFacts::default();
            for line in lines {
                facts.take(Field::read(line.as_bytes()).expect("a header")).expect("no framing");
            }
            facts.may_leave_http()
        };
        assert!(asks(&["Upgrade: websocket", "Connection: keep-alive, Upgrade"]));
        assert!(!asks(&["Upgrade: websocket"]));
        assert!(!asks(&["Connection: Upgrade"]));
    }
}
