//! Compressing and inflating messages (RFC 7692 section 7.2).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::violation::Violation;

/// Ends the last block on a byte, and is left out on the wire.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// What is inflated at once before the limit is looked at.
const STEP: usize = 16 * 1024;
/// Messages are compressed on the loop's thread: speed counts for more than the last percent.
const LEVEL: u32 = 3;

/// Compresses what the server sends. Its memory is there from the first message on.
pub struct Deflater {
    compress: Option<Compress>,
    window: u8,
    forgets: bool,
    /// It has compressed something since it began anew.
    remembers: bool,
}

impl Deflater {
    pub fn new(window: u8, forgets: bool) -> Self {
        Self { compress: None, window, forgets, remembers: false }
    }

    pub fn window(&self) -> u8 {
        self.window
    }

    /// Begins anew: what follows does not refer to what was before.
    pub fn forget(&mut self) {
        if std::mem::take(&mut self.remembers)
            && let Some(compress) = &mut self.compress
        {
            compress.reset();
        }
    }

    /// Compresses a message onto the end of `out`.
    pub fn deflate(&mut self, mut message: &[u8], out: &mut Vec<u8>) {
        let compress = self.compress.get_or_insert_with(|| {
            Compress::new_with_window_bits(Compression::new(LEVEL), false, self.window)
        });
        loop {
            // In the worst case deflate adds five bytes to each block.
            out.reserve(message.len() / 2 + 64);
            let before = compress.total_in();
            // It fails for nothing but a call that makes no sense, and then there is nothing to add.
            if compress.compress_vec(message, out, FlushCompress::Sync).is_err() {
                break;
            }
            let taken = usize::try_from(compress.total_in() - before).unwrap_or(message.len());
            message = message.get(taken..).unwrap_or_default();
            if message.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        if out.ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        self.remembers = true;
        if self.forgets {
            self.forget();
        }
    }
}

/// Inflates what the client sends.
pub struct Inflater {
    decompress: Option<Decompress>,
    window: u8,
    forgets: bool,
}

impl Inflater {
    pub fn new(window: u8, forgets: bool) -> Self {
        Self { decompress: None, window, forgets }
    }

    /// Inflates a piece of a message onto the end of `message`, which may become `largest` bytes long.
    pub fn inflate(&mut self, piece: &[u8], message: &mut Vec<u8>, largest: usize) -> Result<(), Violation> {
        let window = self.window;
        let decompress =
            self.decompress.get_or_insert_with(|| Decompress::new_with_window_bits(false, window));
        let mut piece = piece;
        loop {
            message.reserve(STEP.min(piece.len().saturating_mul(4).max(256)));
            let (taken, given) = (decompress.total_in(), decompress.total_out());
            let status = decompress
                .decompress_vec(piece, message, FlushDecompress::Sync)
                .map_err(|_| Violation::Deflate)?;
            let is_idle = decompress.total_in() == taken && decompress.total_out() == given;
            let taken = usize::try_from(decompress.total_in() - taken).unwrap_or(piece.len());
            piece = piece.get(taken..).unwrap_or_default();
            if message.len() > largest {
                return Err(Violation::TooLarge);
            }
            if status == Status::StreamEnd {
                // Section 7.2.3.4: a block that says it is the last; what follows begins anew.
                decompress.reset(false);
                if piece.is_empty() {
                    return Ok(());
                }
            } else if piece.is_empty() && message.len() < message.capacity() {
                return Ok(());
            } else if is_idle && message.len() < message.capacity() {
                return Err(Violation::Deflate);
            }
        }
    }

    /// Ends a message.
    pub fn finish(&mut self, message: &mut Vec<u8>, largest: usize) -> Result<(), Violation> {
        self.inflate(&TAIL, message, largest)?;
        if self.forgets
            && let Some(decompress) = &mut self.decompress
        {
            decompress.reset(false);
        }
        Ok(())
    }
}
