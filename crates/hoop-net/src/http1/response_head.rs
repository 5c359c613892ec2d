//! The head of a response, and how the body behind it is framed (RFC 9112 sections 6 and 9).

use std::cell::Cell;
use std::time::SystemTime;

use hoop_http::{DATE_LENGTH, format_date};
use hoop_http1::decimal;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderValue, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use crate::websocket::has_token;

/// How a response's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none, whatever the application has.
    Bodyless,
    /// By its length.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// What of a request counts for its response.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// HTTP/1.0, not 1.1.
    pub is_old: bool,
    /// By HEAD.
    pub is_head: bool,
    /// By CONNECT.
    pub is_connect: bool,
    /// The connection goes on behind the response, if that says nothing else.
    pub stays: bool,
}

/// What a head has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    pub framing: Framing,
    /// Nothing follows the response.
    pub is_last: bool,
}

/// Writes a head. `length` is the body's, where it is known.
pub fn write_head(
    out: &mut Vec<u8>,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<u64>,
    asked: Asked,
) -> Begun {
    status_line(out, status, asked.is_old);
    let is_tunnel = asked.is_connect && status.is_success();
    let forbids_length = status.is_informational() || status == StatusCode::NO_CONTENT || is_tunnel;
    let is_bodyless = forbids_length || asked.is_head || status == StatusCode::NOT_MODIFIED;
    let (mut declared, mut is_dated, mut options) = (None, false, ConnectionOptions::default());
    for (name, value) in headers {
        match *name {
            CONTENT_LENGTH => {
                declared = declared.or_else(|| decimal(value.as_bytes()));
                continue;
            }
            // How a body is framed is said by whoever frames it.
            TRANSFER_ENCODING => continue,
            TRAILER if asked.is_old || is_bodyless => continue,
            DATE => is_dated = true,
            CONNECTION => options.take(value),
            _ => {}
        }
        field(out, name.as_str(), value.as_bytes());
    }
    let framing = if is_bodyless {
        Framing::Bodyless
    } else {
        match length.or(declared) {
            Some(length) => Framing::Length(length),
            None if asked.is_old => Framing::Close,
            None => Framing::Chunked,
        }
    };
    match framing {
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Length(length) => content_length(out, length),
        Framing::Bodyless if forbids_length => {}
        // What the body would have had (RFC 9110 section 8.6); nobody claims that it would have been empty.
        Framing::Bodyless => {
            let would_be = declared.or(length.filter(|length| asked.is_head && *length > 0));
            if let Some(length) = would_be {
                content_length(out, length);
            }
        }
        Framing::Close => {}
    }
    let leaves_http = status == StatusCode::SWITCHING_PROTOCOLS || is_tunnel;
    let is_last = leaves_http || is_last(out, asked, options, framing);
    if !is_dated {
        date(out);
    }
    out.extend_from_slice(b"\r\n");
    Begun { framing, is_last }
}

/// Writes trailers, and with them the end of a body in chunks.
pub fn write_trailers(out: &mut Vec<u8>, trailers: &HeaderMap) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        if may_trail(name) {
            field(out, name.as_str(), value.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110 section 6.5.1: what frames, routes or describes a message has to be said before it.
fn may_trail(name: &http::HeaderName) -> bool {
    use http::header;
    !matches!(
        *name,
        header::AUTHORIZATION
            | header::CACHE_CONTROL
            | header::CONTENT_ENCODING
            | CONTENT_LENGTH
            | header::CONTENT_RANGE
            | header::CONTENT_TYPE
            | header::HOST
            | header::MAX_FORWARDS
            | header::SET_COOKIE
            | header::TE
            | TRAILER
            | TRANSFER_ENCODING
    )
}

/// What the application says of the connection.
#[derive(Default)]
struct ConnectionOptions {
    closes: bool,
    keeps_alive: bool,
}

impl ConnectionOptions {
    fn take(&mut self, value: &HeaderValue) {
        self.closes |= has_token(value, "close");
        self.keeps_alive |= has_token(value, "keep-alive");
    }
}

/// Whether nothing follows, and a word about it where the client does not take that for granted
/// (RFC 9112 section 9.3).
fn is_last(out: &mut Vec<u8>, asked: Asked, options: ConnectionOptions, framing: Framing) -> bool {
    let is_last = !asked.stays || options.closes || framing == Framing::Close;
    if asked.is_old {
        if !is_last && !options.keeps_alive {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
    } else if is_last && !options.closes {
        out.extend_from_slice(b"connection: close\r\n");
    }
    is_last
}

fn status_line(out: &mut Vec<u8>, status: StatusCode, is_old: bool) {
    if status == StatusCode::OK && !is_old {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(if is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn content_length(out: &mut Vec<u8>, length: u64) {
    field(out, "content-length", itoa::Buffer::new().format(length).as_bytes());
}

thread_local! {
    /// The second of the last response, and the date that it is.
    static DATE_NOW: Cell<(u64, [u8; DATE_LENGTH])> = const { Cell::new((0, [0; DATE_LENGTH])) };
}

fn date(out: &mut Vec<u8>) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = since.as_secs();
    let (mut second, mut date) = DATE_NOW.get();
    if second != now {
        let Some(formatted) = format_date(now) else { return };
        (second, date) = (now, formatted);
        DATE_NOW.set((second, date));
    }
    field(out, "date", &date);
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAYS: Asked = Asked { is_old: false, is_head: false, is_connect: false, stays: true };

    fn head_of(
        status: u16,
        fields: &[(&'static str, &'static str)],
        length: Option<u64>,
        asked: Asked,
    ) -> (String, Begun) {
        let mut headers = HeaderMap::new();
        headers.insert("date", HeaderValue::from_static("now"));
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let mut out = Vec::new();
        let status = StatusCode::from_u16(status).expect("a status");
        let begun = write_head(&mut out, status, &headers, length, asked);
        (String::from_utf8(out).expect("text").replace("date: now\r\n", ""), begun)
    }

    fn head(status: u16, length: Option<u64>, asked: Asked) -> (String, Begun) {
        head_of(status, &[], length, asked)
    }

    #[test]
    fn a_body_has_its_length_or_chunks() {
        let (text, begun) = head(200, Some(5), STAYS);
        assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(begun, Begun { framing: Framing::Length(5), is_last: false });
        let (text, begun) = head(404, None, STAYS);
        assert_eq!(text, "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(begun.framing, Framing::Chunked);
        let declared = head_of(200, &[("content-length", "7")], None, STAYS);
        assert_eq!(declared.1.framing, Framing::Length(7));
        assert_eq!(head(200, Some(0), STAYS).0, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(head(299, Some(0), STAYS).0, "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n");
    }

    #[test]
    fn what_the_application_says_of_framing_is_not_sent_beside_ours() {
        let fields = [("transfer-encoding", "gzip"), ("content-length", "9"), ("content-length", "9")];
        let (text, begun) = head_of(200, &fields, Some(5), STAYS);
        assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(begun.framing, Framing::Length(5));
    }

    #[test]
    fn some_have_a_head_alone() {
        let asks_head = Asked { is_head: true, ..STAYS };
        assert_eq!(head(200, Some(5), asks_head).0, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(head(200, Some(0), asks_head).0, "HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(head(200, None, asks_head).0, "HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(head(304, Some(5), STAYS).0, "HTTP/1.1 304 Not Modified\r\n\r\n");
        let declared = [("content-length", "7")];
        assert!(head_of(304, &declared, Some(0), STAYS).0.contains("content-length: 7"));
        assert!(head_of(200, &declared, Some(0), asks_head).0.contains("content-length: 7"));
        assert_eq!(head_of(204, &declared, Some(0), STAYS).0, "HTTP/1.1 204 No Content\r\n\r\n");
        for status in [204, 304] {
            assert_eq!(head(status, Some(5), STAYS).1.framing, Framing::Bodyless);
        }
        let connects = Asked { is_connect: true, ..STAYS };
        let tunnel = Begun { framing: Framing::Bodyless, is_last: true };
        assert_eq!(head(200, Some(5), connects).1, tunnel);
        assert_eq!(head(403, Some(5), connects).1.framing, Framing::Length(5));
    }

    #[test]
    fn the_end_of_a_connection_is_announced() {
        let closes = Asked { stays: false, ..STAYS };
        let (text, begun) = head(200, Some(0), closes);
        assert!(text.contains("connection: close\r\n") && begun.is_last);
        let (text, begun) = head_of(200, &[("connection", "x, Close")], Some(0), STAYS);
        assert!(text.contains("connection: x, Close\r\n") && begun.is_last);
        assert_eq!(text.matches("connection").count(), 1);
        let (text, begun) = head_of(101, &[("connection", "upgrade")], Some(0), closes);
        assert_eq!(text, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n");
        assert!(begun.is_last);
        let (text, _) = head_of(200, &[("connection", "keep-alive")], Some(0), closes);
        assert!(text.contains("connection: close\r\n"), "{text}");
    }

    #[test]
    fn old_clients_are_answered_in_kind() {
        let old = Asked { is_old: true, ..STAYS };
        let (text, begun) = head(200, Some(1), old);
        assert_eq!(text, "HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n");
        assert!(!begun.is_last);
        let stream = Begun { framing: Framing::Close, is_last: true };
        assert_eq!(
            head_of(200, &[("trailer", "x-a")], None, old),
            ("HTTP/1.0 200 OK\r\n\r\n".into(), stream)
        );
        assert!(head(200, Some(1), Asked { stays: false, ..old }).1.is_last);
    }

    #[test]
    fn a_date_is_added_where_there_is_none() {
        let mut out = Vec::new();
        write_head(&mut out, StatusCode::OK, &HeaderMap::new(), Some(0), STAYS);
        let text = String::from_utf8(out).expect("text");
        let date = text.split("date: ").nth(1).expect("a date");
        assert!(hoop_http::parse_date(date.trim_end().as_bytes()).is_some(), "{date}");
    }

    #[test]
    fn trailers_that_may_not_trail_are_left_out() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("1"));
        trailers.insert("content-length", HeaderValue::from_static("5"));
        let mut out = Vec::new();
        write_trailers(&mut out, &trailers);
        assert_eq!(out, b"0\r\nx-sum: 1\r\n\r\n");
    }
}
