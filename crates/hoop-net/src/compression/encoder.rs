//! One encoder for all codings: bytes in, compressed bytes out, a flush where somebody waits.

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hoop_http::Coding;
use zstd::zstd_safe::CParameter;

/// How far back an encoder looks, as a power of two: 128 KiB, where RFC 9659 allows zstd 8 MiB.
const WINDOW: u32 = 17;
/// The same for a stream of unknown length, of which thousands may be open: 64 KiB.
const STREAM_WINDOW: u32 = 16;
/// And the tables in which zstd finds what it has seen, as powers of two.
const STREAM_TABLES: (u32, u32) = (15, 14);
/// What brotli collects before it writes.
const BROTLI_BUFFER: usize = 4096;

/// How much work each coding makes of it.
#[derive(Debug, Clone, Copy)]
pub struct Levels {
    /// 1 to 19.
    pub zstd: i32,
    /// 0 to 11.
    pub brotli: u32,
    /// 1 to 9.
    pub gzip: u32,
}

impl Default for Levels {
    fn default() -> Self {
        Self { zstd: 3, brotli: 4, gzip: 4 }
    }
}

/// An encoder at work.
pub enum Encoder {
    Zstd(Box<zstd::Encoder<'static, Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Encoder {
    /// An encoder for one body, whose size may be known.
    pub fn new(coding: Coding, levels: &Levels, size: Option<u64>) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), levels.zstd)?;
                encoder.window_log(if size.is_some() { WINDOW } else { STREAM_WINDOW })?;
                encoder.set_pledged_src_size(size)?;
                if size.is_none() {
                    encoder.set_parameter(CParameter::HashLog(STREAM_TABLES.0))?;
                    encoder.set_parameter(CParameter::ChainLog(STREAM_TABLES.1))?;
                }
                Self::Zstd(Box::new(encoder))
            }
            Coding::Brotli => {
                let window =
                    size.map_or(STREAM_WINDOW, |size| u64::BITS - size.leading_zeros()).clamp(10, WINDOW);
                let parameters = BrotliEncoderParams {
                    quality: i32::try_from(levels.brotli).unwrap_or_default(),
                    lgwin: i32::try_from(window).unwrap_or_default(),
                    size_hint: size.and_then(|size| usize::try_from(size).ok()).unwrap_or_default(),
                    ..BrotliEncoderParams::default()
                };
                Self::Brotli(Box::new(CompressorWriter::with_params(Vec::new(), BROTLI_BUFFER, &parameters)))
            }
            Coding::Gzip => Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::new(levels.gzip)))),
        })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Zstd(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Gzip(encoder) => encoder,
        }
    }

    /// Takes bytes in.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer().write_all(bytes)
    }

    /// Has all that was taken in come out.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        }
    }

    /// How much has come out and was not taken.
    pub fn ready(&mut self) -> usize {
        self.out().len()
    }

    /// What has come out.
    pub fn take(&mut self) -> Bytes {
        std::mem::take(self.out()).into()
    }

    /// Ends the body; what comes out last.
    pub fn finish(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Brotli(encoder) => encoder.into_inner(),
            Self::Gzip(encoder) => encoder.finish()?,
        }
        .into())
    }

    /// Compresses a body in one go.
    pub fn whole(mut self, bytes: &[u8]) -> io::Result<Bytes> {
        self.write(bytes)?;
        self.finish()
    }
}
