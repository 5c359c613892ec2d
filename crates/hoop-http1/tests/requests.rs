//! The reader of requests over whole connections: what it takes, what it refuses, and that it is the same
//! however it comes.

use hoop_http1::{HeadMeaning, MessageLimits, Piece, Refusal, RequestReader};
use proptest::prelude::*;

fn limits() -> MessageLimits {
    MessageLimits { target: 100, head: 1000, fields: 10, body: 500 }
}

/// How a connection went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// All that was taken.
    passed: Vec<u8>,
    /// Method, target, and the fields of each head.
    heads: Vec<Vec<String>>,
    /// The data of all bodies.
    data: Vec<u8>,
    refusal: Option<Refusal>,
    is_between: bool,
}

impl Outcome {
    fn take(&mut self, piece: Piece, reader: &RequestReader, bytes: &[u8]) -> usize {
        let taken = match piece {
            Piece::More | Piece::Undecided => 0,
            Piece::Framing(taken) => taken,
            Piece::Head(taken) => {
                let head = reader.head();
                let fields = head.fields.iter().flat_map(|(name, value)| [name, value]);
                let parts = [&head.method, &head.target].into_iter().chain(fields);
                let text = |part: &std::ops::Range<usize>| {
                    String::from_utf8_lossy(&bytes[part.clone()]).into_owned()
                };
                self.heads.push(parts.map(text).collect());
                taken
            }
            Piece::Data(taken) => {
                self.data.extend(&bytes[..taken]);
                taken
            }
        };
        self.passed.extend(&bytes[..taken]);
        taken
    }
}

/// Feeds a reader as a connection does: what was not taken is shown again with what comes next.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = RequestReader::new(limits());
    let (mut held, mut outcome) = (Vec::new(), Outcome::default());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            match reader.next_piece(&held) {
                Ok(Piece::More | Piece::Undecided) => break,
                Ok(piece) => {
                    let taken = outcome.take(piece, &reader, &held);
                    held.drain(..taken);
                }
                Err(refusal) => {
                    outcome.refusal = Some(refusal);
                    break;
                }
            }
        }
    }
    outcome.is_between = reader.is_in_head() && held.is_empty();
    outcome
}

/// Why a request is refused, by its head or by its body.
fn refusal(bytes: &str) -> Refusal {
    let outcome = feed([bytes.as_bytes()]);
    assert_eq!(outcome.passed.is_empty(), outcome.heads.is_empty(), "{bytes:?} passed in part");
    outcome.refusal.unwrap_or_else(|| panic!("{bytes:?} was not refused"))
}

fn head_refusal(bytes: &str) -> Refusal {
    assert!(feed([bytes.as_bytes()]).heads.is_empty(), "{bytes:?}");
    refusal(bytes)
}

fn body_refusal(bytes: &str) -> Refusal {
    assert_eq!(feed([bytes.as_bytes()]).heads.len(), 1, "{bytes:?}");
    refusal(bytes)
}

fn request(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

fn chunked(body: &str) -> String {
    format!("{}{body}", request("Transfer-Encoding: chunked\r\n"))
}

#[test]
fn requests_are_read_whatever_frames_them() {
    let requests = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "\r\nGET /old HTTP/1.0\r\n\r\n".to_owned(),
        format!("{}12345", request("Content-Length: 5\r\n")),
        chunked("3\r\nabc\r\n0\r\n\r\n"),
        chunked("3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n"),
    ];
    let all = requests.concat();
    let outcome = feed([all.as_bytes()]);
    assert_eq!(outcome.passed, all.as_bytes());
    assert_eq!(outcome.data, b"12345abcabc");
    assert!(outcome.is_between);
    assert_eq!(outcome.heads.len(), 5);
    assert_eq!(outcome.heads[0], ["GET", "/", "Host", "a"]);
    assert_eq!(outcome.heads[1], ["GET", "/old"]);
    assert_eq!(outcome.heads[2], ["POST", "/", "Host", "a", "Content-Length", "5"]);
}

#[test]
fn values_are_without_the_spaces_around_them() {
    let outcome = feed([request("A:\t b c \t\r\nD:\r\n").as_bytes()]);
    assert_eq!(outcome.heads, [["POST", "/", "Host", "a", "A", "b c", "D", ""]]);
}

#[test]
fn a_head_says_what_it_means() {
    let meaning = |bytes: &str| {
        let mut reader = RequestReader::new(limits());
        assert_eq!(reader.next_piece(bytes.as_bytes()), Ok(Piece::Head(bytes.len())));
        reader.head().meaning
    };
    let plain = HeadMeaning { length: Some(0), keeps_alive: true, ..HeadMeaning::default() };
    assert_eq!(meaning("GET / HTTP/1.1\r\n\r\n"), plain);
    let old = HeadMeaning { is_old: true, keeps_alive: false, ..plain };
    assert_eq!(meaning("GET / HTTP/1.0\r\n\r\n"), old);
    let uploads = request("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n");
    assert_eq!(meaning(&uploads), HeadMeaning { length: None, expects_continue: true, ..plain });
}

#[test]
fn a_head_is_read_only_when_it_is_complete() {
    let mut reader = RequestReader::new(limits());
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for length in 0..head.len() {
        assert_eq!(reader.next_piece(&head[..length]), Ok(Piece::More));
    }
    assert_eq!(reader.next_piece(head), Ok(Piece::Head(head.len())));
}

#[test]
fn each_way_to_break_a_head_has_its_refusal() {
    for (bytes, expected) in [
        ("GET /\r\n\r\n".to_owned(), Refusal::RequestLine),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_owned(), Refusal::RequestLine),
        ("GET / HTTP/3.0\r\n\r\n".to_owned(), Refusal::Version),
        ("GET * HTTP/1.1\r\n\r\n".to_owned(), Refusal::Target),
        ("GET / HTTP/1.1\n\r\n".to_owned(), Refusal::BareLineFeed),
        ("\nGET / HTTP/1.1\r\n\r\n".to_owned(), Refusal::BareLineFeed),
        (request("A: b\n"), Refusal::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n".to_owned(), Refusal::BareLineFeed),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n".to_owned(), Refusal::LeadingSpace),
        (request("A: b\r\n\tc\r\n"), Refusal::LeadingSpace),
        (request("A : b\r\n"), Refusal::FieldName),
        (request("A: b\rc\r\n"), Refusal::FieldValue),
        (request("A: \0\r\n"), Refusal::FieldValue),
        (request("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), Refusal::TwoLengths),
        (request("Transfer-Encoding: chunked \x0b\r\n"), Refusal::FieldValue),
        (request("Content-Length: 1\r\nContent-Length: 1\r\n"), Refusal::ContentLength),
        (request("Content-Length: 501\r\n"), Refusal::BodyTooLarge),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100)), Refusal::TargetTooLong),
        (format!("GET /{}", "a".repeat(200)), Refusal::TargetTooLong),
        (request(&"A: b\r\n".repeat(10)), Refusal::TooManyFields),
        (request(&format!("A: {}\r\n", "b".repeat(1000))), Refusal::HeadTooLarge),
        (format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(1000)), Refusal::HeadTooLarge),
    ] {
        assert_eq!(head_refusal(&bytes), expected, "{bytes:?}");
    }
}

#[test]
fn each_way_to_break_chunks_has_its_refusal() {
    for (body, expected) in [
        ("x\r\n", Refusal::Chunk),
        ("\r\n", Refusal::Chunk),
        ("3\nabc\r\n0\r\n\r\n", Refusal::BareLineFeed),
        ("3;a\nb\r\nabc\r\n", Refusal::BareLineFeed),
        ("3\r\nabcd\r\n", Refusal::Chunk),
        ("3\r\nabc\n0\r\n\r\n", Refusal::Chunk),
        ("3\r\nabc\rx", Refusal::Chunk),
        ("1f5\r\n", Refusal::BodyTooLarge),
        ("1f4\r\n", Refusal::Chunk),
        ("0\r\nContent-Length: 5\r\n\r\n", Refusal::Trailer),
        ("0\r\nTransfer-Encoding: chunked\r\n\r\n", Refusal::Trailer),
        ("0\r\nHost: b\r\n\r\n", Refusal::Trailer),
        ("0\r\n A: b\r\n\r\n", Refusal::LeadingSpace),
        ("0\r\nA: b\n\r\n", Refusal::BareLineFeed),
    ] {
        let body =
            if body.starts_with("1f4") { format!("{body}{}", "a".repeat(502)) } else { body.to_owned() };
        assert_eq!(body_refusal(&chunked(&body)), expected, "{body:?}");
    }
    let extension = |length: usize| format!("1;{}\r\na\r\n", "e".repeat(length));
    assert_eq!(body_refusal(&chunked(&extension(300))), Refusal::ChunkExtensions);
    assert_eq!(body_refusal(&chunked(&format!("1;{}", "e".repeat(300)))), Refusal::ChunkExtensions);
    assert_eq!(body_refusal(&chunked(&extension(200).repeat(50))), Refusal::ChunkExtensions);
    assert_eq!(body_refusal(&chunked(&format!("0\r\n{}", "A: b\r\n".repeat(11)))), Refusal::TooManyFields);
    let large = format!("0\r\n{}", format!("A: {}\r\n", "b".repeat(300)).repeat(4));
    assert_eq!(body_refusal(&chunked(&large)), Refusal::HeadTooLarge);
}

#[test]
fn a_body_that_grows_too_large_in_chunks_is_refused_before_the_chunk_that_is_too_much() {
    let outcome = feed([chunked("1f4\r\n").as_bytes(), &[b'a'; 500], b"\r\n1\r\na\r\n0\r\n\r\n"]);
    assert_eq!(outcome.refusal, Some(Refusal::BodyTooLarge));
    assert!(outcome.passed.ends_with(b"aaa\r\n"));
}

#[test]
fn what_came_before_a_refused_head_is_not_taken_back() {
    let good = request("Content-Length: 3\r\n") + "abc";
    let bytes = format!("{good}{good}GET / HTTP/1.1\r\nA : b\r\n\r\n{good}");
    let outcome = feed([bytes.as_bytes()]);
    assert_eq!(outcome.passed, good.repeat(2).as_bytes());
    assert_eq!(outcome.refusal, Some(Refusal::FieldName));
}

#[test]
fn what_follows_an_upgrade_waits_for_its_answer() {
    let head = request("Connection: upgrade\r\nUpgrade: websocket\r\n");
    let mut reader = RequestReader::new(limits());
    assert_eq!(reader.next_piece(head.as_bytes()), Ok(Piece::Head(head.len())));
    for bytes in [b"".as_slice(), b"\x01\x02", b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(reader.next_piece(bytes), Ok(Piece::Undecided));
    }
    reader.goes_on();
    assert!(reader.is_in_head());
    assert!(matches!(reader.next_piece(b"\x01\n"), Err(Refusal::RequestLine | Refusal::BareLineFeed)));
    assert!(!reader.is_in_head());
}

#[test]
fn an_upgrade_with_a_body_waits_behind_the_body() {
    let head = request("Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n");
    let mut reader = RequestReader::new(limits());
    assert_eq!(reader.next_piece(head.as_bytes()), Ok(Piece::Head(head.len())));
    assert!(reader.is_in_body());
    assert_eq!(reader.next_piece(b"abcGET"), Ok(Piece::Data(3)));
    assert_eq!(reader.next_piece(b"GET"), Ok(Piece::Undecided));
    reader.goes_on();
    assert_eq!(reader.next_piece(b"GET"), Ok(Piece::More));
}

#[test]
fn the_caller_may_refuse_what_takes_too_long() {
    let mut reader = RequestReader::new(limits());
    assert_eq!(reader.next_piece(b"GET / HT"), Ok(Piece::More));
    assert_eq!(reader.refuse(Refusal::HeadTimeout), Refusal::HeadTimeout);
    assert_eq!(reader.refuse(Refusal::BodyTimeout), Refusal::HeadTimeout, "once");
    assert_eq!(reader.next_piece(b"GET / HTTP/1.1\r\n\r\n"), Err(Refusal::HeadTimeout));
    reader.goes_on();
    assert_eq!(reader.next_piece(b""), Err(Refusal::HeadTimeout));
}

#[test]
fn each_refusal_has_its_status() {
    for (refusal, status) in [
        (Refusal::BareLineFeed, 400),
        (Refusal::HeadTimeout, 408),
        (Refusal::BodyTooLarge, 413),
        (Refusal::TargetTooLong, 414),
        (Refusal::TooManyFields, 431),
        (Refusal::UnknownCoding, 501),
        (Refusal::Version, 505),
    ] {
        assert_eq!(refusal.status(), status, "{refusal}");
    }
}

/// A request that must be taken.
fn proper_request() -> impl Strategy<Value = String> {
    let target = prop_oneof!["/[!-\"$-~]{0,30}", Just("http://example.org/a".to_owned())];
    let field = "X-[A-Za-z0-9!#$%&'*+.^_`|~-]{0,8}:[ \t]{0,2}[!-~]{0,10}[ \t!-~]{0,10}";
    let chunk = ("[a-z]{1,20}", prop_oneof![Just(""), Just(";a=b"), Just(" ;c")])
        .prop_map(|(data, extension)| format!("{:x}{extension}\r\n{data}\r\n", data.len()));
    let chunks =
        (prop::collection::vec(chunk, 0..4), prop::collection::vec("X-[a-z]{1,5}: [a-z]{0,5}\r\n", 0..3))
            .prop_map(|(chunks, trailers)| {
                (
                    "Transfer-Encoding: chunked\r\n".to_owned(),
                    format!("{}0\r\n{}\r\n", chunks.concat(), trailers.concat()),
                )
            });
    let length = "[ -~]{0,40}".prop_map(|body| (format!("content-length: {}\r\n", body.len()), body));
    let body = prop_oneof![Just((String::new(), String::new())), length, chunks];
    ("[A-BD-Z]{1,10}", target, prop::collection::vec(field, 0..5), body).prop_map(
        |(method, target, fields, (framing, body))| {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}{framing}\r\n{body}")
        },
    )
}

/// Bytes that are often nearly a request.
fn nearly_requests() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (prop::collection::vec(proper_request(), 1..4), damage).prop_map(|(requests, damage)| {
        let mut bytes = requests.concat().into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// The pieces of `bytes` between places that are anywhere.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

proptest! {
    #[test]
    fn proper_requests_are_taken_whole(requests in prop::collection::vec(proper_request(), 1..4)) {
        let bytes = requests.concat();
        let outcome = feed([bytes.as_bytes()]);
        prop_assert_eq!(outcome.refusal, None);
        prop_assert_eq!(outcome.passed, bytes.as_bytes());
        prop_assert_eq!(outcome.heads.len(), requests.len());
    }

    #[test]
    fn the_verdict_is_the_same_however_the_bytes_come(
        bytes in nearly_requests(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let at_once = feed([bytes.as_slice()]);
        prop_assert_eq!(&feed(pieces(&bytes, &cuts)), &at_once);
        prop_assert_eq!(&feed(bytes.chunks(1)), &at_once);
    }

    #[test]
    fn the_verdict_on_what_is_too_large_is_the_same_however_it_comes(
        target in 60usize..140, fields in prop::collection::vec(0usize..300, 0..13),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let fields: String = fields.iter().map(|length| format!("A: {}\r\n", "b".repeat(*length))).collect();
        let bytes = format!("GET /{} HTTP/1.1\r\n{fields}\r\n", "a".repeat(target)).into_bytes();
        let at_once = feed([bytes.as_slice()]);
        prop_assert_eq!(&feed(pieces(&bytes, &cuts)), &at_once);
        prop_assert_eq!(&feed(bytes.chunks(1)), &at_once);
    }

    #[test]
    fn noise_never_panics_and_what_is_taken_is_a_beginning_of_it(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"\r\n :GET/HP1.;0"[..])], 0..300),
    ) {
        let outcome = feed(bytes.chunks(7));
        prop_assert!(bytes.starts_with(&outcome.passed));
    }
}
