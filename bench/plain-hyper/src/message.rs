//! The message that the loads send, and one exchange of it.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::endpoint::Duplex;

/// Bytes that differ along the message, so that a wrong echo cannot pass by chance.
pub fn message(size: usize, seed: u64) -> Vec<u8> {
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

/// Where one message is received: twice its size, because a read that leaves room needs no second
/// read to learn that it is done.
pub fn receive_buffer(message: &[u8]) -> Vec<u8> {
    vec![0; message.len() * 2]
}

/// Sends the message and takes it back; an error for every byte that comes back another.
///
/// The whole message is sent before any of it is received. One that is larger than all the buffers
/// between here and a server that waits for room would wait for ever; 100 KiB are far from it.
pub async fn exchange(connection: &mut impl Duplex, message: &[u8], buffer: &mut [u8]) -> io::Result<()> {
    connection.write_all(message).await?;
    connection.flush().await?;
    let mut received = 0;
    while received < message.len() {
        match connection.read(&mut buffer[received..]).await? {
            0 => return Err(io::Error::other("the server closed a connection")),
            length => received += length,
        }
    }
    if buffer[..received] != *message {
        return Err(io::Error::other("the server echoed other bytes than were sent"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_repeat_with_their_seed_only() {
        assert_eq!(message(64, 7), message(64, 7));
        assert_ne!(message(64, 7), message(64, 8));
        assert_ne!(message(64, 0)[..32], message(64, 0)[32..]);
    }
}
