//! Looks over requests that wait behind the one at hand, to tell how many there are.

use crate::request::{Piece, RequestReader};

/// How far one has looked into what waits.
#[derive(Debug)]
pub struct Lookahead {
    reader: RequestReader,
    seen: usize,
    heads: u32,
    is_blind: bool,
}

impl Lookahead {
    /// Begins where `reader` is, which has the request at hand behind it.
    pub fn new(reader: &RequestReader) -> Self {
        Self { reader: reader.clone(), seen: 0, heads: 0, is_blind: false }
    }

    /// So many bytes at the beginning were read meanwhile, with or without a head among them. Whether one has to
    /// begin anew: they were more than was looked at, or what hid the rest is gone.
    pub fn is_passed_by(&mut self, length: usize, has_head: bool) -> bool {
        let Some(seen) = self.seen.checked_sub(length) else { return true };
        self.seen = seen;
        self.heads -= u32::from(has_head && self.heads > 0);
        self.is_blind && seen == 0
    }

    /// How many whole heads wait in `bytes`, which are those of the last call and what came after; `None` where
    /// what follows cannot be told: an answer decides on it, or it is no request.
    pub fn heads(&mut self, bytes: &[u8]) -> Option<u32> {
        while !self.is_blind {
            let unseen = bytes.get(self.seen..).unwrap_or_default();
            match self.reader.next_piece(unseen) {
                Ok(Piece::Head(length)) => {
                    self.heads += 1;
                    self.seen += length;
                }
                Ok(Piece::Data(length) | Piece::Framing(length)) => self.seen += length,
                Ok(Piece::More) => return Some(self.heads),
                Ok(Piece::Undecided) | Err(_) => self.is_blind = true,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MessageLimits;

    fn heads(pieces: &[&str]) -> Option<u32> {
        let mut lookahead = Lookahead::new(&RequestReader::new(MessageLimits::default()));
        let (mut bytes, mut heads) = (Vec::new(), Some(0));
        for piece in pieces {
            bytes.extend_from_slice(piece.as_bytes());
            heads = lookahead.heads(&bytes);
        }
        heads
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";

    #[test]
    fn whole_heads_are_counted_as_they_come() {
        assert_eq!(heads(&[""]), Some(0));
        assert_eq!(heads(&[&GET[..9]]), Some(0));
        assert_eq!(heads(&[GET, &POST[..POST.len() - 1]]), Some(2));
        assert_eq!(heads(&[&GET[..9], &GET[9..], POST, GET]), Some(3));
    }

    #[test]
    fn what_is_read_meanwhile_is_not_looked_at_again() {
        let mut lookahead = Lookahead::new(&RequestReader::new(MessageLimits::default()));
        let waiting = [GET, POST, &GET[..9]].concat();
        assert_eq!(lookahead.heads(waiting.as_bytes()), Some(2));
        assert!(!lookahead.is_passed_by(GET.len(), true));
        let waiting = &waiting[GET.len()..];
        assert_eq!(lookahead.heads(waiting.as_bytes()), Some(1));
        assert!(!lookahead.is_passed_by(POST.len() - 3, true) && !lookahead.is_passed_by(3, false));
        assert_eq!(lookahead.heads(GET.as_bytes()), Some(1));
        assert!(lookahead.is_passed_by(GET.len() + 1, true), "that was not seen");
    }

    #[test]
    fn who_could_not_see_looks_again_behind_what_was_in_the_way() {
        let mut lookahead = Lookahead::new(&RequestReader::new(MessageLimits::default()));
        let upgrade = "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(lookahead.heads([GET, upgrade, GET].concat().as_bytes()), None);
        assert!(!lookahead.is_passed_by(GET.len(), true));
        assert!(lookahead.is_passed_by(upgrade.len(), true));
    }

    #[test]
    fn nothing_is_told_behind_what_may_be_no_request() {
        assert_eq!(heads(&[GET, "nonsense\r\n"]), None);
        let upgrade = "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(heads(&[upgrade, GET]), None);
    }
}
