//! Content codings of responses undone, piece by piece, and no bomb is let go off.

use std::collections::VecDeque;
use std::io::{self, Write};

use brotli::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use zstd::stream::raw::{self, InBuffer, Operation, OutBuffer};

use super::failure::{Failure, Fault, Phase};

/// As much may come out of a body whatever went in.
const ALWAYS_ALLOWED: u64 = 16 * 1024 * 1024;
/// Beyond that, so many bytes for each that went in: deflate can make 1,032 of one, and a bomb does.
const MOST_PER_BYTE: u64 = 100;
/// So much goes in at once; what it makes is taken before more goes in.
const IN_AT_ONCE: usize = 4096;
const BROTLI_BUFFER: usize = 16 * 1024;
const ZSTD_BUFFER: usize = 32 * 1024;
/// The most codings on top of each other.
const MOST_CODINGS: usize = 4;

/// What comes out, up to what is allowed.
#[derive(Default)]
struct Outlet {
    bytes: Vec<u8>,
    room: u64,
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room = self.room.checked_sub(bytes.len() as u64).ok_or_else(bomb)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bomb() -> io::Error {
    io::Error::new(
        io::ErrorKind::StorageFull,
        "it grows without measure as it is unpacked: a decompression bomb",
    )
}

enum Kind {
    Gzip(Box<MultiGzDecoder<Outlet>>),
    /// Whether it has zlib's frame shows in the first two bytes; servers send both (RFC 9110 section 8.4.1.2).
    DeflateUnseen(Vec<u8>, Outlet),
    Zlib(Box<ZlibDecoder<Outlet>>),
    Deflate(Box<DeflateDecoder<Outlet>>),
    Brotli(Box<DecompressorWriter<Outlet>>),
    Zstd {
        decoder: raw::Decoder<'static>,
        outlet: Outlet,
        is_frame_done: bool,
    },
}

/// One coding being undone.
struct Decoder {
    kind: Kind,
    came: u64,
}

impl Decoder {
    fn named(name: &str) -> Option<io::Result<Self>> {
        let outlet = || Outlet { bytes: Vec::new(), room: ALWAYS_ALLOWED };
        let kind = match name {
            "gzip" | "x-gzip" => Kind::Gzip(Box::new(MultiGzDecoder::new(outlet()))),
            "deflate" => Kind::DeflateUnseen(Vec::new(), outlet()),
            "br" => Kind::Brotli(Box::new(DecompressorWriter::new(outlet(), BROTLI_BUFFER))),
            "zstd" => match raw::Decoder::new() {
                Ok(decoder) => Kind::Zstd { decoder, outlet: outlet(), is_frame_done: true },
                Err(error) => return Some(Err(error)),
            },
            _ => return None,
        };
        Some(Ok(Self { kind, came: 0 }))
    }

    fn outlet(&mut self) -> &mut Outlet {
        match &mut self.kind {
            Kind::Gzip(decoder) => decoder.get_mut(),
            Kind::Zlib(decoder) => decoder.get_mut(),
            Kind::Deflate(decoder) => decoder.get_mut(),
            Kind::Brotli(decoder) => decoder.get_mut(),
            Kind::DeflateUnseen(_, outlet) | Kind::Zstd { outlet, .. } => outlet,
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.came += bytes.len() as u64;
        let more = bytes.len() as u64 * MOST_PER_BYTE;
        self.outlet().room += more;
        if let Kind::DeflateUnseen(seen, outlet) = &mut self.kind {
            seen.extend_from_slice(bytes);
            let [first, second, ..] = seen[..] else { return Ok(Vec::new()) };
            let seen = std::mem::take(seen);
            let outlet = std::mem::take(outlet);
            // RFC 1950: method 8, and the two bytes together divisible by 31.
            let has_frame = first & 0x0f == 8 && (u16::from(first) * 256 + u16::from(second)) % 31 == 0;
            self.kind = if has_frame {
                Kind::Zlib(Box::new(ZlibDecoder::new(outlet)))
            } else {
                Kind::Deflate(Box::new(DeflateDecoder::new(outlet)))
            };
            self.feed(&seen)?;
            bytes = &[];
        }
        self.feed(bytes)?;
        Ok(std::mem::take(&mut self.outlet().bytes))
    }

    fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.kind {
            Kind::Gzip(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            Kind::Zlib(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            Kind::Deflate(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            Kind::Brotli(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
            Kind::DeflateUnseen(..) => Ok(()),
            Kind::Zstd { decoder, outlet, is_frame_done } => unzstd(decoder, outlet, is_frame_done, bytes),
        }
    }

    /// What comes out last. `Err` if the body is not all there; an empty one is as good as any.
    fn finish(mut self) -> io::Result<Vec<u8>> {
        if self.came == 0 {
            return Ok(Vec::new());
        }
        match &mut self.kind {
            Kind::Gzip(decoder) => decoder.try_finish()?,
            Kind::Zlib(decoder) => decoder.try_finish()?,
            Kind::Deflate(decoder) => decoder.try_finish()?,
            Kind::Brotli(decoder) => decoder.close()?,
            Kind::DeflateUnseen(..) | Kind::Zstd { is_frame_done: false, .. } => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Kind::Zstd { .. } => {}
        }
        Ok(std::mem::take(&mut self.outlet().bytes))
    }
}

fn unzstd(
    decoder: &mut raw::Decoder<'static>,
    outlet: &mut Outlet,
    is_frame_done: &mut bool,
    bytes: &[u8],
) -> io::Result<()> {
    let mut input = InBuffer::around(bytes);
    let mut block = [0; ZSTD_BUFFER];
    loop {
        let mut output = OutBuffer::around(&mut block[..]);
        let hint = decoder.run(&mut input, &mut output)?;
        *is_frame_done = hint == 0;
        let filled = output.pos();
        outlet.write_all(output.as_slice())?;
        // A block that is full may have more behind it.
        if input.pos() >= bytes.len() && filled < ZSTD_BUFFER {
            return Ok(());
        }
        if hint == 0 && input.pos() < bytes.len() {
            // One frame may follow another (RFC 8878 section 3.1).
            decoder.reinit()?;
        }
    }
}

/// All codings of a body, undone one after the other.
#[derive(Default)]
pub struct Decoding {
    /// The outermost first.
    decoders: Vec<Decoder>,
    /// What was read and not yet unpacked.
    waiting: VecDeque<Bytes>,
}

impl Decoding {
    /// For a response with these headers. A coding that nobody knows is left to the application, with all
    /// that is below it.
    pub fn of(headers: &HeaderMap) -> Result<Option<Box<Self>>, Failure> {
        if !headers.contains_key(CONTENT_ENCODING) {
            return Ok(None);
        }
        let mut names = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            names.extend(value.split(',').map(|name| name.trim().to_owned()));
        }
        names.retain(|name| !name.is_empty() && name != "identity");
        if names.len() > MOST_CODINGS {
            return Err(broken(&io::Error::other(format!("{} codings on top of each other", names.len()))));
        }
        let mut decoders = Vec::new();
        for name in names.iter().rev() {
            match Decoder::named(name) {
                Some(decoder) => decoders.push(decoder.map_err(|error| broken(&error))?),
                None => break,
            }
        }
        Ok((!decoders.is_empty()).then(|| Box::new(Self { decoders, waiting: VecDeque::new() })))
    }

    /// Takes in what was read.
    pub fn push(&mut self, bytes: Bytes) {
        self.waiting.push_back(bytes);
    }

    /// What comes out next of what was read; `None` if more has to be read first.
    pub fn pull(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(mut front) = self.waiting.pop_front() {
            let piece = front.split_to(front.len().min(IN_AT_ONCE));
            if !front.is_empty() {
                self.waiting.push_front(front);
            }
            let out = self.through(0, piece.to_vec())?;
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
        Ok(None)
    }

    /// What comes out once all was read.
    pub fn finish(&mut self) -> Result<Bytes, Failure> {
        let mut all = Vec::new();
        while !self.decoders.is_empty() {
            let last = self.decoders.remove(0).finish().map_err(|error| broken(&error))?;
            all.extend(self.through(0, last)?);
        }
        Ok(all.into())
    }

    fn through(&mut self, first: usize, mut bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
        for decoder in self.decoders.iter_mut().skip(first) {
            if bytes.is_empty() {
                break;
            }
            bytes = decoder.write(&bytes).map_err(|error| broken(&error))?;
        }
        Ok(bytes)
    }
}

fn broken(error: &io::Error) -> Failure {
    let detail = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the compressed body ends too early".to_owned(),
        io::ErrorKind::StorageFull => return Failure::new(Phase::Read, Fault::TooLarge, error.to_string()),
        _ => format!("the body is not in the coding that its Content-Encoding names: {error}"),
    };
    Failure::new(Phase::Read, Fault::Decoding, detail)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    fn decoded(coding: &'static str, body: &[u8], step: usize) -> Result<Vec<u8>, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        let mut decoding = Decoding::of(&headers)?.expect("a coding that is known");
        let mut out = Vec::new();
        for piece in body.chunks(step) {
            decoding.push(Bytes::copy_from_slice(piece));
            while let Some(bytes) = decoding.pull()? {
                out.extend_from_slice(&bytes);
            }
        }
        out.extend_from_slice(&decoding.finish()?);
        Ok(out)
    }

    fn packed(kind: &str, bytes: &[u8]) -> Vec<u8> {
        match kind {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
            }
            "zlib" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
            }
            "deflate" => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
            }
            "br" => {
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
                encoder.write_all(bytes).expect("memory");
                encoder.into_inner()
            }
            _ => zstd::encode_all(bytes, 3).expect("memory"),
        }
    }

    const KINDS: [(&str, &str); 5] =
        [("gzip", "gzip"), ("deflate", "zlib"), ("deflate", "deflate"), ("br", "br"), ("zstd", "zstd")];

    #[test]
    fn every_coding_is_undone_however_it_is_cut() {
        let text: Vec<u8> = (0..40_000_u32).flat_map(|number| (number % 977).to_le_bytes()).collect();
        for (coding, kind) in KINDS {
            let body = packed(kind, &text);
            for step in [1, 7, 5000, body.len()] {
                assert!(decoded(coding, &body, step).expect("whole") == text, "{kind} by {step}");
            }
            assert!(decoded(coding, b"", 1).expect("nothing at all").is_empty(), "{kind}");
        }
    }

    #[test]
    fn a_body_that_ends_early_or_is_something_else_is_told() {
        let text = vec![b'x'; 5000];
        for (coding, kind) in KINDS {
            let body = packed(kind, &text);
            let cut = decoded(coding, &body[..body.len() - 1], 64).expect_err(kind);
            assert_eq!(cut.fault, Fault::Decoding, "{kind}");
            let other = decoded(coding, b"<html>not compressed at all, as far as one can see</html>", 64);
            assert_eq!(other.expect_err(kind).fault, Fault::Decoding, "{kind}");
        }
    }

    #[test]
    fn a_bomb_is_let_go_off_in_no_coding() {
        let zeros = vec![0; 64 * 1024 * 1024];
        for (coding, kind) in KINDS {
            let body = packed(kind, &zeros);
            assert_eq!(decoded(coding, &body, 64 * 1024).expect_err(kind).fault, Fault::TooLarge, "{kind}");
        }
    }

    #[test]
    fn codings_on_top_of_each_other_are_undone_from_the_outside() {
        let body = packed("br", &packed("gzip", b"hello"));
        assert_eq!(decoded("gzip, br", &body, 3).expect("whole"), b"hello");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip, rot13"));
        assert!(Decoding::of(&headers).is_ok_and(|decoding| decoding.is_none()));
    }
}
