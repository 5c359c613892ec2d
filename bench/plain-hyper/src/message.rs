//! What the loads send, and one exchange of it.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::endpoint::Duplex;

/// How a load speaks to its server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Talk {
    /// Bytes that come back as they are.
    Echo,
    /// A GET for `/` over HTTP/1.1, and its response.
    Http,
    /// A binary message over a WebSocket, which comes back as it is.
    WebSocket,
}

/// What is sent again and again, and how its answer is known.
pub struct Message {
    opening: &'static [u8],
    sent: Vec<u8>,
    expected: Expected,
}

enum Expected {
    Bytes(Vec<u8>),
    Response,
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// The key is that of RFC 6455 section 1.3; nothing here depends on it.
const HANDSHAKE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// The answers of the HTTP load are no longer.
const LONGEST_RESPONSE: usize = 16 * 1024;
/// A client's frames are masked (RFC 6455 section 5.3); any four bytes do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl Message {
    /// A message of so many bytes, drawn from a seed; a request is always the same.
    pub fn new(talk: Talk, size: usize, seed: u64) -> Self {
        match talk {
            Talk::Echo => {
                let bytes = bytes(size, seed);
                Self { opening: b"", sent: bytes.clone(), expected: Expected::Bytes(bytes) }
            }
            Talk::Http => Self { opening: b"", sent: REQUEST.to_vec(), expected: Expected::Response },
            Talk::WebSocket => {
                let payload = bytes(size, seed);
                let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
                let sent = [frame_head(size, 0x80), MASK.to_vec(), masked.collect()].concat();
                let expected = [frame_head(size, 0), payload].concat();
                Self { opening: HANDSHAKE, sent, expected: Expected::Bytes(expected) }
            }
        }
    }

    /// Where answers are received: twice their size, because a read that leaves room needs no second
    /// read to learn that it is done.
    pub fn receive_buffer(&self) -> Vec<u8> {
        let length = match &self.expected {
            Expected::Bytes(bytes) => bytes.len() * 2,
            Expected::Response => LONGEST_RESPONSE,
        };
        vec![0; length]
    }

    /// Makes a new connection ready for the message.
    pub async fn open(&self, connection: &mut impl Duplex) -> io::Result<()> {
        if self.opening.is_empty() {
            return Ok(());
        }
        connection.write_all(self.opening).await?;
        connection.flush().await?;
        let mut head = Vec::new();
        // A byte at a time: what follows the head is not to be lost, and it is once a connection.
        while !head.ends_with(END_OF_HEAD) {
            head.push(connection.read_u8().await?);
        }
        if head.starts_with(b"HTTP/1.1 101 ") { Ok(()) } else { Err(answered(&head)) }
    }

    /// Sends the message and takes its answer; an error for a wrong one.
    pub async fn exchange(&self, connection: &mut impl Duplex, buffer: &mut [u8]) -> io::Result<()> {
        if self.ask(connection, buffer).await? {
            return Ok(());
        }
        Err(io::Error::other(match self.expected {
            Expected::Bytes(_) => "the server echoed other bytes than were sent",
            Expected::Response => "the server answered with another status than 200",
        }))
    }

    /// Sends the message and takes its answer; whether it is the right one.
    ///
    /// The whole message is sent before any of the answer is received. One that is larger than all the
    /// buffers between here and a server that waits for room would wait for ever; 100 KiB are far from it.
    pub async fn ask(&self, connection: &mut impl Duplex, buffer: &mut [u8]) -> io::Result<bool> {
        connection.write_all(&self.sent).await?;
        connection.flush().await?;
        let mut received = 0;
        loop {
            match connection.read(&mut buffer[received..]).await? {
                0 => {
                    return Err(io::Error::other(
                        "the server closed a connection, or its answer is too long",
                    ));
                }
                length => received += length,
            }
            let answer = &buffer[..received];
            match &self.expected {
                Expected::Bytes(bytes) if received < bytes.len() => {}
                Expected::Bytes(bytes) => return Ok(answer == *bytes),
                Expected::Response => {
                    if response_length(answer)?.is_some_and(|length| received >= length) {
                        return Ok(answer.starts_with(b"HTTP/1.1 200 "));
                    }
                }
            }
        }
    }
}

/// Bytes that differ along the message, so that a wrong echo cannot pass by chance.
fn bytes(size: usize, seed: u64) -> Vec<u8> {
    // xorshift stays at zero for ever when it starts there.
    let mut state = seed.max(1);
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 56) as u8
        })
        .collect()
}

/// The beginning of a whole binary message (RFC 6455 section 5.2).
fn frame_head(size: usize, masked: u8) -> Vec<u8> {
    const WHOLE_BINARY: u8 = 0x82;
    match (u8::try_from(size), u16::try_from(size)) {
        (Ok(size), _) if size < 126 => vec![WHOLE_BINARY, masked | size],
        (_, Ok(size)) => [&[WHOLE_BINARY, masked | 126][..], &size.to_be_bytes()].concat(),
        _ => [&[WHOLE_BINARY, masked | 127][..], &(size as u64).to_be_bytes()].concat(),
    }
}

/// How long a response is in all, once its head is there; an error if it does not say so.
fn response_length(received: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = received.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD) else {
        return Ok(None);
    };
    let head = &received[..end];
    let length = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(b"content-length:".len())?;
        let digits = std::str::from_utf8(value).ok()?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| digits.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| io::Error::other("a response does not say how long it is"))?;
    Ok(Some(end + END_OF_HEAD.len() + length))
}

fn answered(head: &[u8]) -> io::Error {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    io::Error::other(format!("the server answered {}", line.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_repeat_with_their_seed_only() {
        assert_eq!(bytes(64, 7), bytes(64, 7));
        assert_ne!(bytes(64, 7), bytes(64, 8));
        assert_ne!(bytes(64, 0)[..32], bytes(64, 0)[32..]);
    }

    #[test]
    fn frames_say_how_long_they_are_and_whether_they_are_masked() {
        assert_eq!(frame_head(64, 0x80), [0x82, 0x80 | 64]);
        assert_eq!(frame_head(126, 0), [0x82, 126, 0, 126]);
        assert_eq!(frame_head(64 * 1024, 0x80), [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_response_is_as_long_as_its_head_says() {
        assert_eq!(response_length(b"HTTP/1.1 200 OK\r\nContent-").ok(), Some(None));
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nx: y\r\n\r\nHel";
        assert_eq!(response_length(head).ok(), Some(Some(head.len() - 3 + 13)));
        assert!(response_length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
