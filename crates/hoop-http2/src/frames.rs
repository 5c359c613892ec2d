//! Frames in a stream of bytes that comes in pieces.

use crate::flaw::Flaw;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Of DATA and HEADERS.
pub const END_STREAM: u8 = 1;
/// Of SETTINGS and PING.
pub const ACK: u8 = 1;

const HEAD: usize = 9;

/// The head of a frame (RFC 9113 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub length: u32,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Head {
    fn new(bytes: [u8; HEAD]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = bytes;
        Self {
            length: u32::from_be_bytes([0, high, middle, low]),
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        }
    }

    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// One setting (RFC 9113 section 6.5.1): its identifier and its value.
pub type Setting = (u16, u32);
const SETTING: usize = 6;

/// What is found in a stream of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Head(Head),
    /// One of the settings in the frame whose head came last.
    Setting(Setting),
}

/// Finds the heads of frames.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; HEAD],
    /// So much of a head is there.
    known: usize,
    /// So much of a payload is to come.
    left: usize,
    /// It is one of settings, and so much of the next of them is there.
    are_settings: bool,
    setting: [u8; SETTING],
    set: usize,
}

impl Frames {
    /// Takes bytes away up to the end of what is found next; none if that is not there yet.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Found> {
        if self.are_settings && self.left > 0 {
            let before = bytes.len();
            let is_whole = fill(&mut self.setting, &mut self.set, bytes);
            self.left = self.left.saturating_sub(before - bytes.len());
            if is_whole {
                let [high, low, value @ ..] = self.setting;
                let identifier = u16::from_be_bytes([high, low]);
                return Some(Found::Setting((identifier, u32::from_be_bytes(value))));
            }
            return None;
        }
        let payload = self.left.min(bytes.len());
        self.left -= payload;
        *bytes = bytes.get(payload..).unwrap_or_default();
        if !fill(&mut self.head, &mut self.known, bytes) {
            return None;
        }
        let head = Head::new(self.head);
        self.left = head.length as usize;
        // Of another length it is none: whoever looks at the head ends it there.
        self.are_settings = head.kind == SETTINGS && self.left.is_multiple_of(SETTING);
        Some(Found::Head(head))
    }

    /// Whether a frame has ended here and none has begun.
    pub fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0
    }
}

/// Takes bytes away to fill a space of which so much is filled; whether it is now full, and may be begun
/// again.
fn fill(space: &mut [u8], filled: &mut usize, bytes: &mut &[u8]) -> bool {
    let room = space.get_mut(*filled..).unwrap_or_default();
    let (part, rest) = bytes.split_at(room.len().min(bytes.len()));
    room.get_mut(..part.len()).unwrap_or_default().copy_from_slice(part);
    *bytes = rest;
    *filled += part.len();
    let is_full = *filled == space.len();
    if is_full {
        *filled = 0;
    }
    is_full
}

/// The bytes of a GOAWAY frame (RFC 9113 section 6.8): the last stream that may have been looked at, why
/// the connection ends, and the same in words.
pub fn goaway(last_stream: u32, flaw: Flaw) -> Vec<u8> {
    let words = flaw.to_string();
    let length = u8::try_from(words.len() + 8).unwrap_or(8);
    let words = words.as_bytes().get(..usize::from(length) - 8).unwrap_or_default();
    let mut frame = vec![0, 0, length, GOAWAY, 0, 0, 0, 0, 0];
    frame.extend(last_stream.to_be_bytes());
    frame.extend(flaw.code().to_be_bytes());
    frame.extend(words);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(frames: &mut Frames, mut bytes: &[u8]) -> Vec<Found> {
        std::iter::from_fn(|| frames.next(&mut bytes)).collect()
    }

    fn heads(frames: &mut Frames, bytes: &[u8]) -> Vec<Head> {
        let head = |found| if let Found::Head(head) = found { Some(head) } else { None };
        found(frames, bytes).into_iter().filter_map(head).collect()
    }

    #[test]
    fn settings_are_read_one_by_one_however_they_are_cut() {
        let bytes = [0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 4, 0x80, 0, 0, 0, 0xf0, 0, 0, 0, 0, 7];
        for cut in 1..=bytes.len() {
            let mut frames = Frames::default();
            let all: Vec<Found> = bytes.chunks(cut).flat_map(|piece| found(&mut frames, piece)).collect();
            let expected = [Found::Setting((4, 1 << 31)), Found::Setting((0xf000, 7))];
            assert_eq!(all.get(1..), Some(&expected[..]));
            assert!(frames.is_between());
        }
    }

    #[test]
    fn a_goaway_is_a_frame_like_any_other() {
        let bytes = goaway(7, Flaw::Idling);
        let mut frames = Frames::default();
        let found = heads(&mut frames, &bytes);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, found[0].stream), (GOAWAY, 0));
        assert!(frames.is_between());
        assert_eq!(bytes[9..17], [0, 0, 0, 7, 0, 0, 0, 11]);
    }

    proptest! {
        #[test]
        fn frames_are_the_same_however_they_are_cut(
            payloads in prop::collection::vec((any::<u8>(), 0_u8..40), 1..8),
            cut in 1_usize..20,
        ) {
            let mut bytes = Vec::new();
            for (kind, length) in &payloads {
                bytes.extend([0, 0, *length, *kind, 0, 0x80, 0, 0, 5]);
                bytes.extend(vec![0xff; usize::from(*length)]);
            }
            let mut frames = Frames::default();
            let found: Vec<Head> =
                bytes.chunks(cut).flat_map(|piece| heads(&mut frames, piece)).collect();
            let expected: Vec<Head> = payloads
                .iter()
                .map(|(kind, length)| Head { length: u32::from(*length), kind: *kind, flags: 0, stream: 5 })
                .collect();
            prop_assert_eq!(found, expected);
            prop_assert!(frames.is_between());
        }
    }
}
