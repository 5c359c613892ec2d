//! What any bytes must not do to hoopsnake's parsers. Each function takes bytes and panics where a promise
//! does not hold; the first byte says how they are cut.
//!
//! The programs of `targets/` give them to libFuzzer (`make fuzz`), `tests/` gives them the corpus and
//! what chance makes of it (`make test`).

#![forbid(unsafe_code)]

use std::time::Duration;

use hoop_fetch::{EventFault, EventLimits, EventReader, ServerEvent};
use hoop_form::{Entry, Form, FormKind, Limits, Value};
use hoop_http1::{MessageLimits, Piece, RequestReader};
use hoop_http2::{Flaw, Ledger};
use hoop_websocket::{Agreement, Event, Offer, Reader, Role, Violation, negotiate};

/// A message that is larger is refused.
const LARGEST_MESSAGE: usize = 100_000;

/// How the rest is cut, and the rest.
fn cut(bytes: &[u8]) -> (usize, &[u8]) {
    match bytes {
        [first, rest @ ..] => (usize::from(*first).max(1), rest),
        [] => (1, bytes),
    }
}

/// What a reader of requests made of all that came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    bytes: usize,
    heads: u32,
    data: Vec<u8>,
    is_refused: bool,
}

fn through_requests<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Taken {
    let limits = MessageLimits { target: 200, head: 2000, fields: 20, body: 5000 };
    let mut reader = RequestReader::new(limits);
    let (mut held, mut all) = (Vec::new(), Taken::default());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let taken = match reader.next_piece(&held) {
                Ok(Piece::More) => break,
                // A WebSocket that the application does not want.
                Ok(Piece::Undecided) => {
                    reader.goes_on();
                    continue;
                }
                Ok(Piece::Head(taken)) => {
                    let head = reader.head();
                    let fields = head.fields.iter().flat_map(|(name, value)| [name, value]);
                    for part in [&head.method, &head.target].into_iter().chain(fields) {
                        assert!(part.start <= part.end && part.end <= taken, "within the head");
                    }
                    all.heads += 1;
                    taken
                }
                Ok(Piece::Data(taken)) => {
                    all.data.extend_from_slice(&held[..taken]);
                    taken
                }
                Ok(Piece::Framing(taken)) => taken,
                Err(refusal) => {
                    assert!((400..=505).contains(&refusal.status()));
                    all.is_refused = true;
                    return all;
                }
            };
            assert!((1..=held.len()).contains(&taken), "some is taken, and no more than there is");
            held.drain(..taken);
            all.bytes += taken;
        }
        assert!(held.len() <= limits.head + piece.len(), "what is held has a limit");
    }
    all
}

/// The reader of HTTP/1 requests: what it takes does not depend on how that is cut.
pub fn http1_requests(bytes: &[u8]) {
    let (size, rest) = cut(bytes);
    let whole = through_requests(std::iter::once(rest));
    let pieces = through_requests(rest.chunks(size));
    assert_eq!(whole, pieces);
}

fn through_ledger<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Result<(), Flaw>, u32, usize) {
    let mut ledger = Ledger::default();
    let mut seen = Ok(());
    for piece in pieces {
        seen = ledger.received(piece, Duration::ZERO);
        if seen.is_err() {
            break;
        }
    }
    (seen, ledger.last_stream(), ledger.unfinished())
}

/// The ledger of HTTP/2 frames: what it sees does not depend on how it is cut, in either direction.
pub fn http2_ledger(bytes: &[u8]) {
    let (size, rest) = cut(bytes);
    assert_eq!(through_ledger(std::iter::once(rest)), through_ledger(rest.chunks(size)));
    let (mut whole, mut pieces) = (Ledger::default(), Ledger::default());
    whole.sent(rest);
    rest.chunks(size).for_each(|piece| pieces.sent(piece));
    assert_eq!((whole.delivered(), whole.may_speak()), (pieces.delivered(), pieces.may_speak()));
}

fn events<'a>(
    role: Role,
    agreement: Option<Agreement>,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Event>, Option<Violation>) {
    let mut reader = Reader::new(role, agreement, LARGEST_MESSAGE);
    let mut found = Vec::new();
    for piece in pieces {
        reader.feed(piece);
        loop {
            match reader.next_event() {
                Ok(Some(event)) => found.push(event),
                Ok(None) => break,
                Err(violation) => return (found, Some(violation)),
            }
        }
    }
    (found, None)
}

/// The reader of WebSocket frames: what it reads does not depend on how it is cut, and no message is too
/// large.
pub fn websocket_reader(bytes: &[u8]) {
    let (size, rest) = cut(bytes);
    let compressed = Agreement {
        server_forgets: false,
        client_forgets: size % 2 == 0,
        server_window: 15,
        client_window: 15,
    };
    for (role, agreement) in [
        (Role::Server, None),
        (Role::Server, Some(compressed)),
        (Role::Client, None),
        (Role::Client, Some(compressed)),
    ] {
        let (found, violation) = events(role, agreement, std::iter::once(rest));
        assert!(found.iter().all(|event| match event {
            Event::Text(text) => text.len() <= LARGEST_MESSAGE,
            Event::Binary(bytes) => bytes.len() <= LARGEST_MESSAGE,
            Event::Ping(payload) | Event::Pong(payload) => payload.len() <= 125,
            Event::Close(_, reason) => reason.len() <= 123,
        }));
        let (in_pieces, violated) = events(role, agreement, rest.chunks(size));
        // Which of two violations is found first may depend on what has come.
        assert_eq!((found, violation.is_some()), (in_pieces, violated.is_some()));
    }
}

/// The negotiation of permessage-deflate, by either side: what is agreed on can be said, and is within RFC 7692.
pub fn websocket_offers(bytes: &[u8]) {
    let (_, rest) = cut(bytes);
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if let Ok(Some(agreed)) = Offer::default().answered(text.lines()) {
        assert!((8..=15).contains(&agreed.server_window) && (8..=15).contains(&agreed.client_window));
    }
    let Some(agreed) = negotiate(text.lines()) else { return };
    assert!((9..=15).contains(&agreed.server_window), "{agreed:?}");
    assert!((8..=15).contains(&agreed.client_window), "{agreed:?}");
    assert!(agreed.header().starts_with("permessage-deflate"));
}

/// Fields, and the files that were handed out, by the numbers of their entries.
type ReadForm = (Vec<Entry>, Vec<(usize, Vec<u8>)>);

fn through_form<'a>(
    kind: FormKind,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<ReadForm, hoop_form::Flaw> {
    let limits = Limits {
        fields: 20,
        files: 20,
        field_size: 300,
        head: 500,
        file_in_memory: 100,
        ..Limits::default()
    };
    let mut form = Form::new(kind, limits);
    let mut written: Vec<(usize, Vec<u8>)> = Vec::new();
    for piece in pieces {
        form.feed(piece)?;
        for overflow in form.overflow() {
            match written.last_mut().filter(|(entry, _)| *entry == overflow.entry) {
                Some((_, bytes)) => bytes.extend(overflow.bytes),
                None => written.push((overflow.entry, overflow.bytes)),
            }
        }
    }
    Ok((form.finish()?, written))
}

/// Forms: what is read of them does not depend on how they are cut, and no byte of a file is lost.
pub fn form(bytes: &[u8]) {
    let (size, rest) = cut(bytes);
    let multipart: &[u8] = b"multipart/form-data; boundary=x";
    for content_type in [multipart, b"application/x-www-form-urlencoded"] {
        let kind = FormKind::of(content_type).expect("well formed").expect("a form");
        let whole = through_form(kind.clone(), std::iter::once(rest));
        assert_eq!(whole, through_form(kind, rest.chunks(size)));
        let Ok((entries, written)) = whole else { continue };
        for (number, entry) in entries.iter().enumerate() {
            let Value::File(file) = &entry.value else { continue };
            let content = file
                .content
                .as_ref()
                .or_else(|| written.iter().find(|(entry, _)| *entry == number).map(|(_, bytes)| bytes));
            assert_eq!(content.map_or(0, Vec::len) as u64, file.size);
        }
    }
    if let Ok(text) = std::str::from_utf8(rest) {
        let _ = FormKind::of(text.as_bytes());
    }
}

fn server_events<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<ServerEvent>, Option<EventFault>, String, Option<u64>) {
    let mut reader = EventReader::new(EventLimits { line: 200, event: 500 }, "");
    let mut found = Vec::new();
    let fault = pieces.map(|piece| reader.feed(piece, &mut found)).find_map(Result::err);
    (found, fault, reader.last_id().to_owned(), reader.retry())
}

/// Server-sent events: what is read of them does not depend on how they are cut, and none is too large.
pub fn event_stream(bytes: &[u8]) {
    let (size, rest) = cut(bytes);
    let whole = server_events(std::iter::once(rest));
    // What is not UTF-8 is replaced, by what takes three bytes.
    assert!(whole.0.iter().all(|event| event.data.len() <= 500 + 200 && !event.id.contains('\0')));
    assert_eq!(whole, server_events(rest.chunks(size)));
}
