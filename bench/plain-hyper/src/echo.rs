//! A plain echo: the least that one tokio thread does for a message.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task,
};

use crate::{
    endpoint::{Accepted, Endpoint, Listener},
    http::Version,
};

// Larger than most messages of the bench: a read that does not fill its buffer tells tokio that
// the socket is empty, which saves the second read that would only say "try again".
const BUFFER_SIZE: usize = 64 * 1024;

/// Echoes on every connection until the process is ended.
pub async fn serve(endpoint: &Endpoint) -> io::Result<()> {
    let listener = Listener::bind(endpoint, Version::Http1).await?;
    loop {
        let accepted = listener.accept().await?;
        task::spawn_local(echo(accepted));
    }
}

async fn echo(accepted: Accepted) {
    // A peer that breaks off its handshake or its connection ends only its own task.
    let Ok(mut connection) = accepted.ready().await else { return };
    let mut buffer = vec![0; BUFFER_SIZE];
    while let Ok(length @ 1..) = connection.read(&mut buffer).await {
        if connection.write_all(&buffer[..length]).await.is_err() || connection.flush().await.is_err() {
            return;
        }
    }
}
