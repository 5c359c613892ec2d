//! UDP for the echo: a server, and a client's socket as a connection whose messages are datagrams.

use std::{
    io,
    net::Ipv4Addr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UdpSocket,
};

use crate::endpoint::cannot_listen;

// No datagram of UDP is larger.
const BUFFER_SIZE: usize = 64 * 1024;

/// Sends every datagram back to where it came from, until the process is ended.
pub async fn serve(port: u16) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await;
    let socket = socket.map_err(|fault| cannot_listen(port, &fault))?;
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        let (length, sender) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..length], sender).await?;
    }
}

/// What is written at once is sent as one datagram, and a read is one that came. One that gets lost
/// is not sent again: the load then fails when its time is up.
pub struct Datagrams(UdpSocket);

impl Datagrams {
    /// A socket that sends to the server on this port, and hears nobody else.
    pub async fn connect(port: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self(socket))
    }
}

impl AsyncRead for Datagrams {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.poll_recv(cx, buf)
    }
}

impl AsyncWrite for Datagrams {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
