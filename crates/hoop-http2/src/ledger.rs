//! What has gone over a connection, by the heads of its frames.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::allowance::Allowance;
use crate::flaw::Flaw;
use crate::frames::{
    ACK, CONTINUATION, DATA, END_STREAM, Found, Frames, GOAWAY, HEADERS, Head, PING, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE,
};

/// What a client sends first (RFC 9113 section 3.4); it is no frame.
const PREFACE: usize = 24;
/// The largest frame that is taken: what holds where nothing else was said (section 4.2).
const LARGEST: u32 = 16 * 1024;
/// A setting, and the largest window that it may ask for (section 6.9.1).
const INITIAL_WINDOW_SIZE: u16 = 4;
const LARGEST_WINDOW: u32 = 0x7fff_ffff;
/// So many streams that have ended are remembered.
const REMEMBERED: usize = 128;
/// Of a piece of a body that is shorter nobody needs to be told.
const WORTH_AN_UPDATE: u32 = 256;
/// Frames that ask for nothing which a request may bring with it, and a piece of a body: its priority, and
/// two windows.
const FOR_A_REQUEST: u32 = 4;
const FOR_A_PIECE: u32 = 2;

/// Follows the frames of one connection.
#[derive(Debug)]
pub struct Ledger {
    /// Of the preface, so much is to come.
    preface: usize,
    incoming: Frames,
    outgoing: Frames,
    allowance: Allowance,
    last_stream: u32,
    has_settings: bool,
    /// Streams that the client has begun and whose answer has not gone out; whether the client has ended
    /// its side of them.
    unfinished: HashMap<u32, bool>,
    /// Those of them that went last, and that the client had ended.
    ended: VecDeque<u32>,
    delivered: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            preface: PREFACE,
            incoming: Frames::default(),
            outgoing: Frames::default(),
            allowance: Allowance::default(),
            last_stream: 0,
            has_settings: false,
            unfinished: HashMap::new(),
            ended: VecDeque::new(),
            delivered: 0,
        }
    }
}

impl Ledger {
    /// Looks at what the client sends. After a flaw the rest is not to be read.
    pub fn received(&mut self, mut bytes: &[u8], now: Duration) -> Result<(), Flaw> {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        bytes = bytes.get(preface..).unwrap_or_default();
        while let Some(found) = self.incoming.next(&mut bytes) {
            let head = match found {
                Found::Head(head) => head,
                Found::Setting((INITIAL_WINDOW_SIZE, size)) if size > LARGEST_WINDOW => {
                    return Err(Flaw::Window);
                }
                Found::Setting(_) => continue,
            };
            self.note_incoming(head)?;
            match head.kind {
                HEADERS => self.allowance.earn(FOR_A_REQUEST),
                DATA if head.length >= WORTH_AN_UPDATE => self.allowance.earn(FOR_A_PIECE),
                // How many of these may come in a row is counted where they are put together.
                DATA | CONTINUATION => {}
                _ if self.allowance.is_overspent(now) => return Err(Flaw::Idling),
                _ => {}
            }
        }
        Ok(())
    }

    fn note_incoming(&mut self, head: Head) -> Result<(), Flaw> {
        if !has_its_size(head) {
            return Err(Flaw::FrameSize);
        }
        if !std::mem::replace(&mut self.has_settings, true) && (head.kind != SETTINGS || head.has(ACK)) {
            return Err(Flaw::NoSettings);
        }
        match head.kind {
            HEADERS if head.stream > self.last_stream => {
                self.last_stream = head.stream;
                self.unfinished.insert(head.stream, head.has(END_STREAM));
            }
            DATA | HEADERS => match self.unfinished.get_mut(&head.stream) {
                Some(has_ended) if *has_ended => return Err(Flaw::StreamClosed),
                Some(has_ended) => *has_ended = head.has(END_STREAM),
                None if self.ended.contains(&head.stream) => return Err(Flaw::StreamClosed),
                // What the server has reset may have more on its way.
                None => {}
            },
            RST_STREAM if self.unfinished.remove(&head.stream).is_some() => self.remember(head.stream),
            _ => {}
        }
        Ok(())
    }

    fn remember(&mut self, stream: u32) {
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(stream);
    }

    /// Looks at what is sent to the client.
    pub fn sent(&mut self, mut bytes: &[u8]) {
        while let Some(found) = self.outgoing.next(&mut bytes) {
            let Found::Head(head) = found else { continue };
            let ends = match head.kind {
                DATA => {
                    self.delivered += u64::from(head.length);
                    if head.length >= WORTH_AN_UPDATE {
                        self.allowance.earn(FOR_A_PIECE);
                    }
                    head.has(END_STREAM)
                }
                HEADERS => head.has(END_STREAM),
                RST_STREAM => true,
                _ => false,
            };
            if ends && self.unfinished.remove(&head.stream) == Some(true) {
                self.remember(head.stream);
            }
        }
    }

    /// Whether a frame of one's own may be sent: none is under way.
    pub fn may_speak(&self) -> bool {
        self.outgoing.is_between()
    }

    /// The last stream that the client has begun.
    pub fn last_stream(&self) -> u32 {
        self.last_stream
    }

    /// Streams whose answer has not gone out to its end.
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// Bytes of bodies that went out.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }
}

/// Whether a frame is as long as its type says (RFC 9113 sections 4.2 and 6.3 to 6.9). Where a flaw is
/// one of its stream alone, the connection may be ended all the same (section 5.4.1).
fn has_its_size(head: Head) -> bool {
    match head.kind {
        PRIORITY => head.length == 5,
        RST_STREAM | WINDOW_UPDATE => head.length == 4,
        SETTINGS if head.has(ACK) => head.length == 0,
        SETTINGS => head.length.is_multiple_of(6) && head.length <= LARGEST,
        PING => head.length == 8,
        GOAWAY => (8..=LARGEST).contains(&head.length),
        _ => head.length <= LARGEST,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PREFACE_BYTES: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    fn frame(kind: u8, flags: u8, stream: u32, length: u32) -> Vec<u8> {
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.resize(bytes.len() + length as usize, 0);
        bytes
    }

    /// A ledger behind the preface.
    fn begun() -> Ledger {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.received(PREFACE_BYTES, Duration::ZERO), Ok(()));
        assert_eq!(ledger.received(&frame(SETTINGS, 0, 0, 0), Duration::ZERO), Ok(()));
        ledger
    }

    #[test]
    fn every_type_has_its_size() {
        for (kind, flags, right, wrong) in [
            (DATA, 0, 16384, 16385),
            (HEADERS, 4, 0, 16385),
            (PRIORITY, 0, 5, 4),
            (RST_STREAM, 0, 4, 3),
            (SETTINGS, 0, 12, 7),
            (SETTINGS, ACK, 0, 6),
            (PING, 0, 8, 9),
            (GOAWAY, 0, 8, 7),
            (WINDOW_UPDATE, 0, 4, 5),
            (CONTINUATION, 0, 16384, 16385),
            (0xfe, 0, 16384, 16385),
        ] {
            let mut ledger = begun();
            if kind == DATA {
                assert_eq!(ledger.received(&frame(HEADERS, 4, 1, 0), Duration::ZERO), Ok(()));
            }
            assert_eq!(ledger.received(&frame(kind, flags, 1, right), Duration::ZERO), Ok(()), "{kind}");
            let flawed = ledger.received(&frame(kind, flags, 1, wrong), Duration::ZERO);
            assert_eq!(flawed, Err(Flaw::FrameSize), "{kind}");
        }
    }

    #[test]
    fn frames_that_ask_for_nothing_are_counted_and_requests_are_not() {
        let mut ledger = begun();
        for stream in (1..40_000).step_by(2) {
            assert_eq!(ledger.received(&frame(HEADERS, 5, stream, 10), Duration::ZERO), Ok(()));
            assert_eq!(ledger.received(&frame(RST_STREAM, 0, stream, 4), Duration::ZERO), Ok(()));
        }
        let pings: Vec<u8> = frame(PING, 0, 0, 8).repeat(900);
        assert_eq!(ledger.received(&pings, Duration::ZERO), Ok(()));
        assert_eq!(ledger.received(&pings, Duration::ZERO), Err(Flaw::Idling));
    }

    #[test]
    fn who_takes_a_body_may_say_so_piece_by_piece() {
        let mut ledger = begun();
        for _ in 0..10_000 {
            ledger.sent(&frame(DATA, 0, 1, 1000));
            for stream in [0, 1] {
                assert_eq!(ledger.received(&frame(WINDOW_UPDATE, 0, stream, 4), Duration::ZERO), Ok(()));
            }
        }
        assert_eq!(ledger.delivered(), 10_000_000);
    }

    #[test]
    fn a_stream_is_unfinished_until_its_answer_or_its_client_has_ended_it() {
        let mut ledger = begun();
        for stream in [1, 3, 5, 7] {
            assert_eq!(ledger.received(&frame(HEADERS, 4, stream, 10), Duration::ZERO), Ok(()));
        }
        // Trailers begin no stream.
        assert_eq!(ledger.received(&frame(HEADERS, 5, 1, 10), Duration::ZERO), Ok(()));
        assert_eq!((ledger.unfinished(), ledger.last_stream()), (4, 7));
        ledger.sent(&frame(HEADERS, 4, 1, 10));
        ledger.sent(&frame(DATA, 0, 1, 10));
        assert_eq!(ledger.unfinished(), 4);
        ledger.sent(&frame(DATA, END_STREAM, 1, 0));
        ledger.sent(&frame(HEADERS, END_STREAM, 3, 10));
        ledger.sent(&frame(RST_STREAM, 0, 5, 4));
        assert_eq!(ledger.unfinished(), 1);
        assert_eq!(ledger.received(&frame(RST_STREAM, 0, 7, 4), Duration::ZERO), Ok(()));
        assert_eq!(ledger.unfinished(), 0);
        assert!(ledger.may_speak());
        ledger.sent(&frame(DATA, 0, 9, 10)[..12]);
        assert!(!ledger.may_speak());
    }

    #[test]
    fn the_first_frame_is_one_of_settings() {
        for first in [frame(HEADERS, 5, 1, 10), frame(SETTINGS, ACK, 0, 0), frame(0xfe, 0, 0, 0)] {
            let mut ledger = Ledger::default();
            assert_eq!(ledger.received(PREFACE_BYTES, Duration::ZERO), Ok(()));
            assert_eq!(ledger.received(&first, Duration::ZERO), Err(Flaw::NoSettings));
        }
    }

    #[test]
    fn a_window_is_no_larger_than_a_window_can_be() {
        let settings = |size: u32| {
            let mut bytes = vec![0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 0, 4];
            bytes.extend(size.to_be_bytes());
            bytes
        };
        assert_eq!(begun().received(&settings(LARGEST_WINDOW), Duration::ZERO), Ok(()));
        assert_eq!(begun().received(&settings(LARGEST_WINDOW + 1), Duration::ZERO), Err(Flaw::Window));
    }

    #[test]
    fn who_has_ended_a_stream_sends_nothing_more_on_it() {
        let closed = Err(Flaw::StreamClosed);
        for more in [frame(DATA, 0, 1, 0), frame(HEADERS, 5, 1, 0)] {
            let mut ledger = begun();
            assert_eq!(ledger.received(&frame(HEADERS, 5, 1, 10), Duration::ZERO), Ok(()));
            assert_eq!(ledger.received(&more, Duration::ZERO), closed);
            // Also when it was answered, or given up.
            ledger.sent(&frame(HEADERS, 5, 1, 10));
            assert_eq!(ledger.received(&more, Duration::ZERO), closed);
            assert_eq!(ledger.received(&frame(HEADERS, 4, 3, 10), Duration::ZERO), Ok(()));
            assert_eq!(ledger.received(&frame(RST_STREAM, 0, 3, 4), Duration::ZERO), Ok(()));
            assert_eq!(ledger.received(&frame(DATA, 0, 3, 1), Duration::ZERO), closed);
        }
        // What is on its way while the server resets is no error.
        let mut ledger = begun();
        assert_eq!(ledger.received(&frame(HEADERS, 4, 1, 10), Duration::ZERO), Ok(()));
        ledger.sent(&frame(RST_STREAM, 0, 1, 4));
        assert_eq!(ledger.received(&frame(DATA, 1, 1, 1), Duration::ZERO), Ok(()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(received: Vec<u8>, sent: Vec<u8>, cut in 1_usize..50) {
            let mut ledger = begun();
            for piece in received.chunks(cut) {
                if ledger.received(piece, Duration::ZERO).is_err() {
                    break;
                }
            }
            ledger.sent(&sent);
        }
    }
}
