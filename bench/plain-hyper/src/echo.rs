//! A plain TCP echo: the least that one tokio thread does for a message.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task,
};

// Larger than any message of the bench: a read that does not fill its buffer tells tokio that
// the socket is empty, which saves the second read that would only say "try again".
const BUFFER_SIZE: usize = 64 * 1024;

/// Echoes on every connection until the process is ended.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        task::spawn_local(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; BUFFER_SIZE];
    // A peer that resets its connection ends only its own task.
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
