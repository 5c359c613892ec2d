//! Heads of frames, and masking (RFC 6455 section 5.2 and 5.3).

use crate::role::Role;
use crate::violation::Violation;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// Payload of a control frame.
pub const LONGEST_CONTROL: u64 = 125;

/// So much is copied before its mask is taken off: it is still in the processor's nearest cache then.
const AT_ONCE: usize = 8 * 1024;

const FINAL: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x30;
const MASKED: u8 = 0x80;

/// Of a server's frame.
pub const NO_MASK: [u8; 4] = [0; 4];

/// The head of a frame; a server's has a mask of zeros, which changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub is_final: bool,
    pub is_compressed: bool,
    pub opcode: u8,
    pub length: u64,
    pub mask: [u8; 4],
}

impl Head {
    pub fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }

    /// The head that `bytes` of a peer begin with, and how long it is; `None` while it is not complete.
    pub fn parse(bytes: &[u8], reader: Role) -> Result<Option<(Self, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let opcode = first & 0x0f;
        let is_final = first & FINAL != 0;
        if first & RESERVED != 0 {
            return Err(Violation::ReservedBits);
        }
        if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
            return Err(Violation::Opcode);
        }
        match (reader, second & MASKED != 0) {
            (Role::Server, false) => return Err(Violation::Unmasked),
            (Role::Client, true) => return Err(Violation::Masked),
            _ => {}
        }
        let short = u64::from(second & 0x7f);
        if opcode >= CLOSE && !(is_final && short <= LONGEST_CONTROL) {
            return Err(Violation::ControlFrame);
        }
        let (length, rest) = match short {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (short, rest),
        };
        if length > i64::MAX as u64 {
            return Err(Violation::Length);
        }
        let (mask, after) = match reader {
            Role::Client => (NO_MASK, rest),
            Role::Server => match rest.split_first_chunk::<4>() {
                Some((mask, after)) => (*mask, after),
                None => return Ok(None),
            },
        };
        let head = Self { is_final, is_compressed: first & COMPRESSED != 0, opcode, length, mask };
        Ok(Some((head, bytes.len() - after.len())))
    }
}

/// Appends the head of a frame that is the last of its message, with the mask of what follows if it has one.
pub fn push_head(out: &mut Vec<u8>, opcode: u8, is_compressed: bool, length: usize, mask: Option<[u8; 4]>) {
    out.push(FINAL | if is_compressed { COMPRESSED } else { 0 } | opcode);
    let masked = if mask.is_some() { MASKED } else { 0 };
    match length {
        0..=125 => out.push(masked | length as u8),
        126..=0xffff => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
}

/// Takes the mask off (or puts it on); returns the mask as it goes on behind these bytes.
pub fn unmask(bytes: &mut [u8], mask: [u8; 4]) -> [u8; 4] {
    if mask == NO_MASK {
        return mask;
    }
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        if let Ok(eight) = <&mut [u8; 8]>::try_from(word) {
            *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
        }
    }
    let rest = words.into_remainder();
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    let mut turned = mask;
    turned.rotate_left(rest.len() % 4);
    turned
}

/// Appends bytes without their mask (or with it); returns the mask as it goes on behind them.
pub fn push_unmasked(out: &mut Vec<u8>, bytes: &[u8], mask: [u8; 4]) -> [u8; 4] {
    out.reserve(bytes.len());
    if mask == NO_MASK {
        out.extend_from_slice(bytes);
        return mask;
    }
    let mut mask = mask;
    for piece in bytes.chunks(AT_ONCE) {
        let before = out.len();
        out.extend_from_slice(piece);
        mask = unmask(out.get_mut(before..).unwrap_or_default(), mask);
    }
    mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_have_three_forms() {
        for (length, size) in [(0, 2), (125, 2), (126, 4), (0xffff, 4), (0x1_0000, 10)] {
            let mut out = Vec::new();
            push_head(&mut out, BINARY, false, length, None);
            assert_eq!(out.len(), size);
            let mut masked = Vec::new();
            push_head(&mut masked, BINARY, false, length, Some([1, 2, 3, 4]));
            for (out, reader, mask) in [(out, Role::Client, NO_MASK), (masked, Role::Server, [1, 2, 3, 4])] {
                for end in 0..out.len() {
                    assert_eq!(Head::parse(&out[..end], reader), Ok(None), "cut at {end}");
                }
                let (head, taken) = Head::parse(&out, reader).expect("a head").expect("all of it");
                assert_eq!((head.length, head.opcode, head.mask), (length as u64, BINARY, mask));
                assert_eq!(taken, out.len());
            }
        }
    }

    #[test]
    fn what_a_head_may_not_be() {
        for (reader, masked) in [(Role::Server, 0x80), (Role::Client, 0)] {
            let parse = |bytes: &[u8]| Head::parse(bytes, reader);
            assert_eq!(parse(&[0xa2, masked]), Err(Violation::ReservedBits));
            assert_eq!(parse(&[0x83, masked]), Err(Violation::Opcode));
            assert_eq!(parse(&[0x09, masked]), Err(Violation::ControlFrame));
            assert_eq!(parse(&[0x89, masked | 126]), Err(Violation::ControlFrame));
            let endless = [&[0x82, masked | 127][..], &[0xff; 8]].concat();
            assert_eq!(parse(&endless), Err(Violation::Length));
        }
        assert_eq!(Head::parse(&[0x82, 0x00], Role::Server), Err(Violation::Unmasked));
        assert_eq!(Head::parse(&[0x82, 0x80], Role::Client), Err(Violation::Masked));
    }

    proptest! {
        #[test]
        fn a_mask_comes_off_in_pieces_too(mut bytes: Vec<u8>, mask: [u8; 4], at: usize) {
            let clear = bytes.clone();
            unmask(&mut bytes, mask);
            for (index, byte) in bytes.iter().enumerate() {
                prop_assert_eq!(*byte, clear[index] ^ mask[index % 4]);
            }
            let at = at % (bytes.len() + 1);
            let (left, right) = bytes.split_at_mut(at);
            let turned = unmask(left, mask);
            unmask(right, turned);
            prop_assert_eq!(bytes, clear);
        }

        #[test]
        fn bytes_are_appended_without_their_mask(
            bytes in proptest::collection::vec(any::<u8>(), 0..3 * AT_ONCE),
            mask: [u8; 4],
        ) {
            let mut clear = bytes.clone();
            let turned = unmask(&mut clear, mask);
            let mut out = b"before".to_vec();
            prop_assert_eq!(push_unmasked(&mut out, &bytes, mask), turned);
            prop_assert_eq!(&out[6..], &clear);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Head::parse(&bytes, Role::Server);
            let _ = Head::parse(&bytes, Role::Client);
        }
    }
}
