//! Takes bytes in as they come, and gives out messages and control frames.

use crate::deflate::Inflater;
use crate::frame::{BINARY, CLOSE, CONTINUATION, Head, PING, TEXT, push_unmasked, unmask};
use crate::negotiation::Agreement;
use crate::role::Role;
use crate::violation::Violation;

/// Memory that a connection between messages may keep.
const KEPT: usize = 4096;
/// Of a length that a peer only claims, so much is believed at once.
const RESERVED_AT_ONCE: usize = 64 * 1024;

/// What a peer has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping, to be answered with the same payload.
    Ping(Vec<u8>),
    /// A pong, with the payload of the ping that it answers, or with any.
    Pong(Vec<u8>),
    /// A close frame: its code, if it has one, and its reason.
    Close(Option<u16>, String),
}

/// The frame that is being read.
#[derive(Debug)]
struct Payload {
    head: Head,
    left: u64,
}

/// The message that is being put together.
struct Message {
    is_text: bool,
    is_compressed: bool,
    bytes: Vec<u8>,
    /// How far its text is known to be valid.
    valid: usize,
}

/// Reads a peer's frames.
pub struct Reader {
    role: Role,
    /// What has arrived and was not looked at.
    input: Vec<u8>,
    taken: usize,
    payload: Option<Payload>,
    message: Option<Message>,
    /// The payload of a control frame, which may come in the middle of a message.
    control: Vec<u8>,
    inflater: Option<Inflater>,
    largest: usize,
}

impl Reader {
    /// Takes messages of up to `largest` bytes, inflated; `role` is whose reader it is.
    pub fn new(role: Role, agreement: Option<Agreement>, largest: usize) -> Self {
        let inflater = agreement.map(|agreed| role.inflater(agreed));
        Self {
            role,
            input: Vec::new(),
            taken: 0,
            payload: None,
            message: None,
            control: Vec::new(),
            inflater,
            largest,
        }
    }

    /// Takes in what has arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.drain(..self.taken);
        self.taken = 0;
        let rest = if self.input.is_empty() { self.take_directly(bytes) } else { bytes };
        self.input.extend_from_slice(rest);
    }

    /// Takes what belongs to a message that is under way, or begins with these bytes, to where it stays;
    /// what is left. What is not as plain as that is left to [`Self::next_event`], complaints too.
    fn take_directly<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let bytes = if self.payload.is_none() { self.begin_directly(bytes) } else { bytes };
        let (Some(payload), Some(message)) = (&mut self.payload, &mut self.message) else { return bytes };
        if payload.head.is_control() || message.is_compressed {
            return bytes;
        }
        let length = usize::try_from(payload.left).unwrap_or(usize::MAX).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        payload.head.mask = push_unmasked(&mut message.bytes, piece, payload.head.mask);
        payload.left -= length as u64;
        rest
    }

    /// Begins a message whose head comes whole and lets it be taken as it is.
    fn begin_directly<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Ok(Some((head, length))) = Head::parse(bytes, self.role) else { return bytes };
        let is_plain = matches!(head.opcode, TEXT | BINARY) && !head.is_compressed && self.message.is_none();
        let fits = usize::try_from(head.length).is_ok_and(|length| length <= self.largest);
        if !(is_plain && fits) || self.begin(head).is_err() {
            return bytes;
        }
        self.payload = Some(Payload { head, left: head.length });
        bytes.get(length..).unwrap_or_default()
    }

    /// The next event; `None` if more has to arrive first. After a violation there is no next.
    pub fn next_event(&mut self) -> Result<Option<Event>, Violation> {
        loop {
            if self.payload.is_none() {
                let Some((head, length)) = Head::parse(self.rest(), self.role)? else {
                    self.tidy();
                    return Ok(None);
                };
                self.taken += length;
                self.begin(head)?;
                self.payload = Some(Payload { head, left: head.length });
            }
            let Some(payload) = self.payload.take() else { return Ok(None) };
            let (payload, is_complete) = self.read_payload(payload)?;
            if !is_complete {
                self.payload = Some(payload);
                self.tidy();
                return Ok(None);
            }
            if let Some(event) = self.finish(payload.head)? {
                return Ok(Some(event));
            }
        }
    }

    /// Gives back memory that a silent connection has no use for.
    fn tidy(&mut self) {
        if self.taken == self.input.len() {
            self.taken = 0;
            self.input.clear();
            if self.input.capacity() > KEPT {
                self.input = Vec::new();
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }

    /// Checks a head against what came before it.
    fn begin(&mut self, head: Head) -> Result<(), Violation> {
        if head.is_control() {
            self.control.clear();
            return if head.is_compressed { Err(Violation::ReservedBits) } else { Ok(()) };
        }
        let message = match (head.opcode, self.message.take()) {
            (CONTINUATION, None) => return Err(Violation::NothingToContinue),
            // RFC 7692 section 6.1: the first frame tells for all of them.
            (CONTINUATION, Some(_)) if head.is_compressed => return Err(Violation::ReservedBits),
            (CONTINUATION, Some(message)) => message,
            (_, Some(_)) => return Err(Violation::Interleaved),
            (_, None) if head.is_compressed && self.inflater.is_none() => {
                return Err(Violation::ReservedBits);
            }
            (opcode, None) => Message {
                is_text: opcode == TEXT,
                is_compressed: head.is_compressed,
                bytes: Vec::new(),
                valid: 0,
            },
        };
        let message = self.message.insert(message);
        let length = usize::try_from(head.length).map_err(|_| Violation::TooLarge)?;
        // Compressed it is hardly longer than it will be inflated.
        let so_far = if message.is_compressed { 0 } else { message.bytes.len() };
        if length > self.largest.saturating_sub(so_far) {
            return Err(Violation::TooLarge);
        }
        if !message.is_compressed {
            message.bytes.reserve(length.min(RESERVED_AT_ONCE));
        }
        Ok(())
    }

    /// Takes what is there of a frame's payload; whether that was all of it.
    fn read_payload(&mut self, mut payload: Payload) -> Result<(Payload, bool), Violation> {
        let available = self.input.len() - self.taken;
        let length = usize::try_from(payload.left).unwrap_or(usize::MAX).min(available);
        let end = self.taken + length;
        let piece = self.input.get_mut(self.taken..end).unwrap_or_default();
        payload.head.mask = unmask(piece, payload.head.mask);
        payload.left -= length as u64;
        self.taken = end;
        let is_complete = payload.left == 0;
        if payload.head.is_control() {
            self.control.extend_from_slice(piece);
            return Ok((payload, is_complete));
        }
        let Some(message) = &mut self.message else { return Ok((payload, is_complete)) };
        match &mut self.inflater {
            Some(inflater) if message.is_compressed => {
                inflater.inflate(piece, &mut message.bytes, self.largest)?;
            }
            _ => message.bytes.extend_from_slice(piece),
        }
        // What is whole is checked once and for all at its end.
        if message.is_text && !(is_complete && payload.head.is_final) {
            check_text(message)?;
        }
        Ok((payload, is_complete))
    }

    /// A frame is complete; the event that it makes, if it makes one.
    fn finish(&mut self, head: Head) -> Result<Option<Event>, Violation> {
        match head.opcode {
            PING => return Ok(Some(Event::Ping(std::mem::take(&mut self.control)))),
            CLOSE => return close(&self.control).map(Some),
            CONTINUATION | TEXT | BINARY => {}
            _ => return Ok(Some(Event::Pong(std::mem::take(&mut self.control)))),
        }
        if !head.is_final {
            return Ok(None);
        }
        let Some(mut message) = self.message.take() else { return Ok(None) };
        if message.is_compressed
            && let Some(inflater) = &mut self.inflater
        {
            inflater.finish(&mut message.bytes, self.largest)?;
        }
        if !message.is_text {
            return Ok(Some(Event::Binary(message.bytes)));
        }
        let text = String::from_utf8(message.bytes).map_err(|_| Violation::Text)?;
        Ok(Some(Event::Text(text)))
    }
}

/// RFC 6455 section 8.1: text that cannot become valid any more is refused at once.
fn check_text(message: &mut Message) -> Result<(), Violation> {
    let unchecked = message.bytes.get(message.valid..).unwrap_or_default();
    match std::str::from_utf8(unchecked) {
        Ok(_) => message.valid = message.bytes.len(),
        Err(error) if error.error_len().is_none() => message.valid += error.valid_up_to(),
        Err(_) => return Err(Violation::Text),
    }
    Ok(())
}

fn close(payload: &[u8]) -> Result<Event, Violation> {
    if payload.is_empty() {
        return Ok(Event::Close(None, String::new()));
    }
    let Some((code, reason)) = payload.split_first_chunk::<2>() else { return Err(Violation::Close) };
    let code = u16::from_be_bytes(*code);
    // Section 7.4: 1004 to 1006 and 1015 are not for the wire, 1016 to 2999 belong to nobody yet.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Close);
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::Text)?;
    Ok(Event::Close(Some(code), reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::{PONG, push_head};
    use crate::role::MaskKeys;
    use crate::writer::{Writer, frame_for_all};

    const LARGEST: usize = 100_000;

    /// A client's frame.
    fn frame(opcode: u8, is_final: bool, payload: &[u8]) -> Vec<u8> {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut out = Vec::new();
        push_head(&mut out, opcode, false, payload.len(), Some(mask));
        out[0] &= if is_final { 0xff } else { 0x7f };
        let start = out.len();
        out.extend_from_slice(payload);
        unmask(&mut out[start..], mask);
        out
    }

    /// The frames of a server, as a client would have sent them.
    fn masked(mut frames: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let [first, second, ..] = *frames {
            let (length, at) = match second {
                126 => (usize::from(u16::from_be_bytes([frames[2], frames[3]])), 4),
                127 => (
                    usize::try_from(u64::from_be_bytes(frames[2..10].try_into().expect("8"))).expect("short"),
                    10,
                ),
                short => (usize::from(short), 2),
            };
            let mut one = frame(first & 0x0f, true, &frames[at..at + length]);
            one[0] = first;
            out.extend(one);
            frames = &frames[at + length..];
        }
        out
    }

    fn read(reader: &mut Reader, bytes: &[u8]) -> Result<Vec<Event>, Violation> {
        reader.feed(bytes);
        let mut events = Vec::new();
        while let Some(event) = reader.next_event()? {
            events.push(event);
        }
        Ok(events)
    }

    fn all(bytes: &[u8]) -> Result<Vec<Event>, Violation> {
        read(&mut Reader::new(Role::Server, None, LARGEST), bytes)
    }

    fn agreement(window: u8, forgets: bool) -> Agreement {
        Agreement {
            server_forgets: forgets,
            client_forgets: forgets,
            server_window: window,
            client_window: window,
        }
    }

    #[test]
    fn control_frames_come_between_the_pieces_of_a_message() {
        let bytes = [
            frame(TEXT, false, b"one "),
            frame(PING, true, b"there?"),
            frame(CONTINUATION, false, b""),
            frame(PONG, true, b""),
            frame(CONTINUATION, true, b"two"),
            frame(CLOSE, true, &[0x03, 0xe8, b'b', b'y', b'e']),
        ]
        .concat();
        let expected = vec![
            Event::Ping(b"there?".to_vec()),
            Event::Pong(Vec::new()),
            Event::Text("one two".to_owned()),
            Event::Close(Some(1000), "bye".to_owned()),
        ];
        assert_eq!(all(&bytes), Ok(expected.clone()));
        let mut reader = Reader::new(Role::Server, None, LARGEST);
        let drop_by_drop: Vec<Event> =
            bytes.iter().flat_map(|byte| read(&mut reader, &[*byte]).expect("no violation")).collect();
        assert_eq!(drop_by_drop, expected);
    }

    #[test]
    fn a_large_message_is_the_same_in_pieces_of_any_size() {
        let payload: Vec<u8> = (0..70_000u32).map(|number| (number % 251) as u8).collect();
        let bytes = [frame(BINARY, true, &payload), frame(PING, true, b"there?")].concat();
        let expected = vec![Event::Binary(payload), Event::Ping(b"there?".to_vec())];
        for size in [1, 3, 7, 1000, 1023, 32_768, 70_001, 100_000] {
            let mut reader = Reader::new(Role::Server, None, LARGEST);
            let events: Vec<Event> = bytes
                .chunks(size)
                .flat_map(|piece| read(&mut reader, piece).expect("no violation"))
                .collect();
            assert_eq!(events, expected, "pieces of {size}");
        }
    }

    #[test]
    fn messages_have_an_order() {
        assert_eq!(all(&frame(CONTINUATION, true, b"")), Err(Violation::NothingToContinue));
        let two = [frame(TEXT, false, b"a"), frame(BINARY, true, b"b")].concat();
        assert_eq!(all(&two), Err(Violation::Interleaved));
    }

    #[test]
    fn text_that_cannot_become_valid_is_refused_at_once() {
        assert_eq!(all(&frame(TEXT, true, b"\xc3\x28")), Err(Violation::Text));
        let euro = "€".as_bytes();
        let halves = [frame(TEXT, false, &euro[..1]), frame(CONTINUATION, true, &euro[1..])].concat();
        assert_eq!(all(&halves), Ok(vec![Event::Text("€".to_owned())]));
        // Of a frame that has not come to its end.
        let broken = frame(TEXT, true, b"\xf4\x90\x80\x80 and more");
        assert_eq!(all(&broken[..8]), Err(Violation::Text));
        assert_eq!(all(&frame(TEXT, true, &euro[..2])), Err(Violation::Text));
    }

    #[test]
    fn close_frames_are_checked() {
        assert_eq!(all(&frame(CLOSE, true, b"")), Ok(vec![Event::Close(None, String::new())]));
        assert_eq!(all(&frame(CLOSE, true, b"\x03")), Err(Violation::Close));
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
            assert_eq!(all(&frame(CLOSE, true, &code.to_be_bytes())), Err(Violation::Close), "{code}");
        }
        assert_eq!(all(&frame(CLOSE, true, b"\x03\xe8\xff")), Err(Violation::Text));
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_by_its_head_alone() {
        let exact = frame(BINARY, true, &vec![0; LARGEST]);
        assert_eq!(all(&exact), Ok(vec![Event::Binary(vec![0; LARGEST])]));
        let over = frame(BINARY, true, &vec![0; LARGEST + 1]);
        assert_eq!(all(&over[..14]), Err(Violation::TooLarge));
        let pieces = [frame(BINARY, false, &vec![0; LARGEST]), frame(CONTINUATION, true, b"1")].concat();
        assert_eq!(all(&pieces), Err(Violation::TooLarge));
    }

    #[test]
    fn compressed_frames_need_an_agreement_and_their_place() {
        let mut compressed = frame(TEXT, true, b"");
        compressed[0] |= 0x40;
        assert_eq!(all(&compressed), Err(Violation::ReservedBits));
        let agreed = || Reader::new(Role::Server, Some(agreement(15, false)), LARGEST);
        for opcode in [PING, CONTINUATION] {
            let mut wrong = frame(opcode, true, b"");
            wrong[0] |= 0x40;
            let bytes = [frame(TEXT, false, b""), wrong].concat();
            assert_eq!(read(&mut agreed(), &bytes), Err(Violation::ReservedBits));
        }
        let mut garbage = frame(BINARY, true, &[0xff; 20]);
        garbage[0] |= 0x40;
        assert_eq!(read(&mut agreed(), &garbage), Err(Violation::Deflate));
    }

    #[test]
    fn a_bomb_is_defused() {
        let mut writer = Writer::new(Some(agreement(15, true)));
        let mut frames = Vec::new();
        writer.binary(&vec![0; 50_000_000], &mut frames);
        assert!(frames.len() < LARGEST, "it must be the inflated size that counts");
        let mut reader = Reader::new(Role::Server, Some(agreement(15, true)), LARGEST);
        assert_eq!(read(&mut reader, &masked(&frames)), Err(Violation::TooLarge));
        let left = reader.message.as_ref().map_or(0, |message| message.bytes.capacity());
        assert!(left < 4 * LARGEST, "{left} bytes were inflated");
    }

    #[test]
    fn a_last_block_in_a_message_is_not_the_last_of_all() {
        // RFC 7692 section 7.2.3.4: "Hello" in a block with BFINAL, then the octet of an empty one.
        let mut message = frame(TEXT, true, &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]);
        message[0] |= 0x40;
        let mut reader = Reader::new(Role::Server, Some(agreement(15, false)), LARGEST);
        for _ in 0..2 {
            assert_eq!(read(&mut reader, &message), Ok(vec![Event::Text("Hello".to_owned())]));
        }
    }

    fn to_server(agreed: Option<Agreement>) -> (Writer, Reader) {
        // A reader does not care how random the keys are.
        let keys = MaskKeys::new(|bytes| {
            bytes.iter_mut().zip((1..=u8::MAX).cycle()).for_each(|(byte, number)| *byte = number)
        });
        (Writer::masking(agreed, keys), Reader::new(Role::Server, agreed, LARGEST))
    }

    fn to_client(agreed: Option<Agreement>) -> (Writer, Reader) {
        (Writer::new(agreed), Reader::new(Role::Client, agreed, LARGEST))
    }

    #[test]
    fn a_client_wants_no_masks_and_a_server_wants_them() {
        let (mut client, mut server) = to_server(None);
        let mut frames = Vec::new();
        client.text("hello", &mut frames);
        client.ping(b"there?", &mut frames);
        client.close(Some(1000), "", &mut frames);
        assert_eq!(read(&mut to_client(None).1, &frames), Err(Violation::Masked));
        let expected = vec![
            Event::Text("hello".to_owned()),
            Event::Ping(b"there?".to_vec()),
            Event::Close(Some(1000), String::new()),
        ];
        assert_eq!(read(&mut server, &frames), Ok(expected));
        frames.clear();
        to_client(None).0.text("hello", &mut frames);
        assert_eq!(read(&mut server, &frames), Err(Violation::Unmasked));
    }

    #[test]
    fn a_client_that_cannot_make_the_window_it_was_told_does_not_compress() {
        let agreed = Some(Agreement { client_window: 8, ..agreement(15, false) });
        let (mut client, mut server) = to_server(agreed);
        let (text, mut frames) = ("a".repeat(200), Vec::new());
        client.text(&text, &mut frames);
        assert_eq!(frames[0], 0x81);
        assert_eq!(read(&mut server, &frames), Ok(vec![Event::Text(text)]));
    }

    proptest! {
        #[test]
        fn messages_pass_either_way_as_agreed_and_cut_as_they_may_be(
            texts in prop::collection::vec("[a-zß€ ]{0,300}", 1..6),
            windows in (9_u8..=15, 9_u8..=15),
            forgets: (bool, bool),
            compresses: bool,
            cut in 1_usize..200,
        ) {
            let agreed = compresses.then_some(Agreement {
                server_forgets: forgets.0,
                client_forgets: forgets.1,
                server_window: windows.0,
                client_window: windows.1,
            });
            for (mut writer, mut reader) in [to_server(agreed), to_client(agreed)] {
                let (mut frames, mut expected) = (Vec::new(), Vec::new());
                for text in &texts {
                    writer.text(text, &mut frames);
                    writer.ping(b"there?", &mut frames);
                    writer.binary(text.as_bytes(), &mut frames);
                    expected.extend([
                        Event::Text(text.clone()),
                        Event::Ping(b"there?".to_vec()),
                        Event::Binary(text.clone().into_bytes()),
                    ]);
                }
                let mut events = Vec::new();
                for piece in frames.chunks(cut) {
                    events.extend(read(&mut reader, piece).expect("no violation"));
                }
                prop_assert_eq!(events, expected);
            }
        }

        #[test]
        fn messages_pass_compressed_and_cut_as_they_may_be(
            texts in prop::collection::vec("[a-zß€ ]{0,300}", 1..6),
            window in 9_u8..=15,
            forgets: bool,
            cut in 1_usize..200,
        ) {
            let agreed = Some(agreement(window, forgets));
            let (mut writer, mut reader) = (Writer::new(agreed), Reader::new(Role::Server, agreed, LARGEST));
            let mut frames = Vec::new();
            for text in &texts {
                writer.text(text, &mut frames);
                writer.binary(text.as_bytes(), &mut frames);
            }
            let expected: Vec<Event> = texts
                .iter()
                .flat_map(|text| [Event::Text(text.clone()), Event::Binary(text.clone().into_bytes())])
                .collect();
            let mut events = Vec::new();
            for piece in masked(&frames).chunks(cut) {
                events.extend(read(&mut reader, piece).expect("no violation"));
            }
            prop_assert_eq!(events, expected);
        }

        #[test]
        fn what_many_are_sent_passes_between_what_one_is_sent(
            texts in proptest::collection::vec(("[ab ]{0,300}", any::<bool>()), 1..20),
            window in 9u8..=15,
            forgets: bool,
        ) {
            let agreed = Some(agreement(window, forgets));
            let (mut writer, mut reader) = (Writer::new(agreed), Reader::new(Role::Server, agreed, LARGEST));
            for (text, is_shared) in texts {
                let mut frames = Vec::new();
                if is_shared {
                    let common = writer.window_for(text.as_bytes());
                    frames = frame_for_all(true, text.as_bytes(), common);
                    writer.sent_alike();
                } else {
                    writer.text(&text, &mut frames);
                }
                prop_assert_eq!(read(&mut reader, &masked(&frames)), Ok(vec![Event::Text(text)]));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, compressed: bool) {
            let agreed = compressed.then(|| agreement(15, false));
            let _ = read(&mut Reader::new(Role::Server, agreed, LARGEST), &bytes);
            let _ = read(&mut Reader::new(Role::Client, agreed, LARGEST), &bytes);
        }

        #[test]
        fn no_payload_makes_it_panic(payload: Vec<u8>, first: u8) {
            let mut bytes = frame(TEXT, true, &payload);
            bytes[0] = first;
            let _ = read(&mut Reader::new(Role::Server, Some(agreement(15, false)), 1000), &bytes);
        }
    }
}
