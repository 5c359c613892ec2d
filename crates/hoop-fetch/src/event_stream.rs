//! Server-sent events, as they come: the event-stream format of the WHATWG's HTML standard, section 9.2.6.

/// What a stream may take of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventLimits {
    /// Bytes of one line.
    pub line: usize,
    /// Bytes of one event's data.
    pub event: usize,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self { line: 1024 * 1024, event: 8 * 1024 * 1024 }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerEvent {
    /// The last id that the stream has named, of this event or of one before it.
    pub id: String,
    /// Its type; "message" where none is named.
    pub kind: String,
    /// Its lines, joined by line feeds.
    pub data: String,
    /// What it says about the time to wait before connecting again, in milliseconds.
    pub retry: Option<u64>,
}

/// A stream that takes more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventFault {
    /// A line does not end.
    #[error("a line of the event stream is longer than {0} bytes")]
    Line(usize),
    /// An event does not end.
    #[error("an event's data is longer than {0} bytes")]
    Event(usize),
}

/// Reads a stream, piece by piece.
#[derive(Debug, Default)]
pub struct EventReader {
    limits: EventLimits,
    /// The line that has not ended.
    line: Vec<u8>,
    /// Bytes of the stream's first line that may be a byte order mark are taken off once.
    has_begun: bool,
    /// The last line has ended with a carriage return: a line feed belongs to it.
    after_return: bool,
    /// Of the event that is under way.
    data: String,
    kind: String,
    id: String,
    own_retry: Option<u64>,
    /// Of those that are complete.
    last_id: String,
    retry: Option<u64>,
    fault: Option<EventFault>,
}

impl EventReader {
    /// One for a stream that goes on behind the event `last_id`; empty if it begins.
    pub fn new(limits: EventLimits, last_id: &str) -> Self {
        Self { limits, id: last_id.to_owned(), last_id: last_id.to_owned(), ..Self::default() }
    }

    /// The id that a new connection goes on behind; empty if there is none.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// What the stream last said about the time to wait before connecting again, in milliseconds.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// What the stream has done that it may not.
    pub fn fault(&self) -> Option<EventFault> {
        self.fault
    }

    /// Takes in what has come; the events that it completes are put onto the end of `events`. After a
    /// fault there are no more.
    pub fn feed(&mut self, mut bytes: &[u8], events: &mut Vec<ServerEvent>) -> Result<(), EventFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if std::mem::take(&mut self.after_return) {
            match bytes {
                [b'\n', rest @ ..] => bytes = rest,
                [] => self.after_return = true,
                _ => {}
            }
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let (piece, rest) = bytes.split_at(end);
            self.extend_line(piece)?;
            let line = std::mem::take(&mut self.line);
            self.end_line(&line, events)?;
            bytes = match rest {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_return = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
        }
        self.extend_line(bytes)
    }

    fn failed(&mut self, fault: EventFault) -> EventFault {
        // Nothing of it is of use any more.
        (self.line, self.data) = (Vec::new(), String::new());
        *self.fault.insert(fault)
    }

    fn extend_line(&mut self, piece: &[u8]) -> Result<(), EventFault> {
        if self.line.len() + piece.len() > self.limits.line {
            return Err(self.failed(EventFault::Line(self.limits.line)));
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn end_line(&mut self, line: &[u8], events: &mut Vec<ServerEvent>) -> Result<(), EventFault> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let line = match line {
            [0xef, 0xbb, 0xbf, rest @ ..] if is_first => rest,
            line => line,
        };
        if line.is_empty() {
            self.dispatch(events);
            return Ok(());
        }
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                if self.data.len() + value.len() > self.limits.event {
                    return Err(self.failed(EventFault::Event(self.limits.event)));
                }
                self.data.push_str(value);
                self.data.push('\n');
            }
            "event" => value.clone_into(&mut self.kind),
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.own_retry = Some(value.parse().unwrap_or(u64::MAX));
                self.retry = self.own_retry;
            }
            // A comment has no name; what is unknown is passed over.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<ServerEvent>) {
        self.last_id.clone_from(&self.id);
        let (mut data, kind) = (std::mem::take(&mut self.data), std::mem::take(&mut self.kind));
        let retry = self.own_retry.take();
        if data.is_empty() {
            return;
        }
        data.pop();
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        events.push(ServerEvent { id: self.last_id.clone(), kind, data, retry });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = (Vec<ServerEvent>, Result<(), EventFault>, String, Option<u64>);

    fn read<'a>(limits: EventLimits, pieces: impl Iterator<Item = &'a [u8]>) -> Read {
        let mut reader = EventReader::new(limits, "");
        let mut events = Vec::new();
        let mut outcome = Ok(());
        for piece in pieces {
            outcome = outcome.and_then(|()| reader.feed(piece, &mut events));
        }
        (events, outcome, reader.last_id().to_owned(), reader.retry())
    }

    fn whole(text: &str) -> Vec<(String, String, String)> {
        let (events, outcome, ..) = read(EventLimits::default(), [text.as_bytes()].into_iter());
        assert_eq!(outcome, Ok(()));
        events.into_iter().map(|event| (event.id, event.kind, event.data)).collect()
    }

    fn event(id: &str, kind: &str, data: &str) -> (String, String, String) {
        (id.to_owned(), kind.to_owned(), data.to_owned())
    }

    #[test]
    fn the_examples_of_the_standard() {
        let stocks = "data: YHOO\ndata: +2\ndata: 10\n\n";
        assert_eq!(whole(stocks), [event("", "message", "YHOO\n+2\n10")]);
        let four =
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        assert_eq!(
            whole(four),
            [
                event("1", "message", "first event"),
                event("", "message", "second event"),
                event("", "message", " third event")
            ]
        );
        assert_eq!(
            whole("data\n\ndata\ndata\n\ndata:"),
            [event("", "message", ""), event("", "message", "\n")]
        );
        assert_eq!(
            whole("data:test\n\ndata: test\n\n"),
            [event("", "message", "test"), event("", "message", "test")]
        );
    }

    #[test]
    fn lines_end_in_three_ways_and_a_mark_may_come_first() {
        let mixed = "\u{feff}event: a\rdata: 1\r\rdata: 2\r\n\r\ndata: 3\n\n";
        assert_eq!(whole(mixed), [event("", "a", "1"), event("", "message", "2"), event("", "message", "3")]);
        assert_eq!(whole("\n\u{feff}data: 1\n\n"), []);
    }

    #[test]
    fn an_id_lasts_until_another_comes_and_has_no_zero_in_it() {
        let text = "id: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid: 3\n\ndata: d\n\n";
        let ids: Vec<String> = whole(text).into_iter().map(|(id, ..)| id).collect();
        assert_eq!(ids, ["1", "1", "1", "3"]);
    }

    #[test]
    fn an_event_that_did_not_end_does_not_count_and_neither_does_its_id() {
        let text = b"id: 1\ndata: a\n\nid: 2\ndata: b\n";
        let (events, _, last_id, _) = read(EventLimits::default(), [&text[..]].into_iter());
        assert_eq!((events.len(), last_id.as_str()), (1, "1"));
    }

    #[test]
    fn retry_is_a_number() {
        let retry = |text: &str| read(EventLimits::default(), [text.as_bytes()].into_iter()).3;
        assert_eq!(retry("retry: 1500\n\n"), Some(1500));
        assert_eq!(retry("retry: 99999999999999999999999\n"), Some(u64::MAX));
        for text in ["retry\n", "retry: \n", "retry: 1s\n", "retry: -1\n", "retry: 1.5\n"] {
            assert_eq!(retry(text), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_end_is_given_up() {
        let limits = EventLimits { line: 20, event: 30 };
        let endless = [b'a'; 21];
        assert_eq!(read(limits, endless.chunks(1)).1, Err(EventFault::Line(20)));
        let lines = "data: 0123456789\n".repeat(3);
        assert_eq!(read(limits, lines.as_bytes().chunks(5)).1, Err(EventFault::Event(30)));
        let (mut reader, mut events) = (EventReader::new(limits, ""), Vec::new());
        assert_eq!(reader.fault(), None);
        let piece = [b"data: 1\n\nid: 2\n".as_slice(), &endless].concat();
        assert!(reader.feed(&piece, &mut events).is_err());
        assert!(reader.feed(b"\n\ndata: 1\n\n", &mut events).is_err());
        assert_eq!((events.len(), reader.last_id()), (1, ""), "what came before is there, and no more");
        assert_eq!(reader.fault(), Some(EventFault::Line(20)));
    }

    proptest! {
        #[test]
        fn how_it_is_cut_does_not_matter(
            text in "(data|event|id|retry|:|\u{feff}|[a-zé0-9 ]{0,5}|\r|\n|\r\n|\n\n|\0){0,60}",
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        ) {
            let limits = EventLimits { line: 30, event: 40 };
            let bytes = text.as_bytes();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces = places.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
            let once = read(limits, [bytes].into_iter());
            prop_assert_eq!(&read(limits, pieces), &once);
            prop_assert_eq!(&read(limits, bytes.chunks(1)), &once);
        }

        #[test]
        fn what_is_written_is_read(events in proptest::collection::vec(("[a-z]{1,5}", "[a-zé :\n]{0,20}", "[0-9]{1,3}"), 0..8)) {
            let mut text = String::new();
            for (kind, data, id) in &events {
                let lines: String = data.split('\n').map(|line| format!("data: {line}\n")).collect();
                text.push_str(&format!("event: {kind}\nid: {id}\n{lines}\n"));
            }
            let expected: Vec<_> = events.iter().map(|(kind, data, id)| event(id, kind, data)).collect();
            prop_assert_eq!(whole(&text), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read(EventLimits::default(), bytes.chunks(3));
        }
    }
}
