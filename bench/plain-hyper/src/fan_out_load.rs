//! The load of the fan-out rows: one says something, and it counts until all have heard it.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    task::JoinSet,
    time,
};

use crate::{
    endpoint::{Connection, Connector, Endpoint},
    http::Version,
    latencies::Latencies,
};

/// For all connections together, and for each round: a server that loses a message must not keep the
/// bench waiting.
const LONGEST: Duration = Duration::from_secs(60);
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// Neither end of an event appears in a payload, nor in the chunks around it.
const END_OF_EVENT: &[u8] = b"\n\n";
/// The comment by which a quiet stream is kept open.
const PING: &[u8] = b": ping\n\n";
/// A client's frame is masked (RFC 6455 section 5.3); with zeros it stays as it is.
const MASK: [u8; 4] = [0; 4];

/// What is fanned out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fan {
    /// A text over one WebSocket at `/`, which all WebSockets there are sent.
    Chat,
    /// The body of a POST to `/events`, which all who GET that are sent as an event.
    Events,
}

/// One bounded run of the load.
#[derive(Clone, Debug, PartialEq)]
pub struct FanOutLoad {
    pub endpoint: Endpoint,
    pub fan: Fan,
    pub connections: usize,
    pub size: usize,
    pub duration: Duration,
}

/// What listeners and the speaker have in common.
struct Round {
    /// Who has heard of it.
    heard: RefCell<usize>,
    all: Notify,
    began: RefCell<Instant>,
    latencies: RefCell<Latencies>,
}

/// Prints a line of JSON once all are connected, runs the load, prints its figures in another one, a message
/// being one delivery, and holds the connections until standard input ends: so the server's CPU can be
/// read without what connecting and leaving cost it.
///
/// Every listener has to be greeted first, with a message or event of any content, so that the server
/// is known to have it among those who are told.
pub async fn run(load: FanOutLoad) -> io::Result<()> {
    let payload = vec![b'm'; load.size];
    let connector = Connector::new(&load.endpoint, Version::Http1)?;
    let opened = time::timeout(LONGEST, open(&load, &connector)).await;
    let (mut speaker, listeners) = opened.map_err(|_| io::Error::other("connecting took too long"))??;
    let round = Rc::new(Round {
        heard: RefCell::new(0),
        all: Notify::new(),
        began: RefCell::new(Instant::now()),
        latencies: RefCell::new(Latencies::new()),
    });
    let (said, expected) = match load.fan {
        Fan::Chat => {
            let said = [&frame_head(load.size, 0x80)[..], &MASK, &payload].concat();
            (said, [&frame_head(load.size, 0)[..], &payload].concat())
        }
        Fan::Events => {
            let head =
                format!("POST /events HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n", load.size);
            ([head.as_bytes(), &payload].concat(), [b"data: ", &payload[..], END_OF_EVENT].concat())
        }
    };
    let (expected, count) = (Rc::new(expected), load.connections);
    let mut hearing = JoinSet::new();
    for connection in listeners {
        let (expected, round) = (expected.clone(), round.clone());
        hearing.spawn_local(async move {
            match load.fan {
                Fan::Chat => hear_frames(connection, &expected, &round, count).await,
                Fan::Events => hear_events(connection, &expected, &round, count).await,
            }
        });
    }
    tell(&format!("{{\"connections\": {count}}}"))?;
    let began = Instant::now();
    while began.elapsed() < load.duration {
        *round.heard.borrow_mut() = 0;
        *round.began.borrow_mut() = Instant::now();
        let all = async {
            speaker.write_all(&said).await?;
            speaker.flush().await?;
            if load.fan == Fan::Events {
                accepted(&mut speaker).await?;
            }
            round.all.notified().await;
            Ok::<_, io::Error>(())
        };
        tokio::select! {
            ended = time::timeout(LONGEST, all) => {
                ended.map_err(|_| io::Error::other("somebody was not told"))??;
            }
            Some(ended) = hearing.join_next() => ended.map_err(io::Error::other)??,
        }
    }
    tell(&round.report(began.elapsed()))?;
    // The runtime's thread may wait here: nothing is to happen on the connections.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn tell(line: &str) -> io::Result<()> {
    println!("{line}");
    io::stdout().flush()
}

impl Round {
    fn hear(&self, of: usize) {
        self.latencies.borrow_mut().record(self.began.borrow().elapsed());
        let mut heard = self.heard.borrow_mut();
        *heard += 1;
        if *heard == of {
            self.all.notify_one();
        }
    }

    fn report(&self, elapsed: Duration) -> String {
        let latencies = self.latencies.borrow();
        format!(
            "{{\"messages\": {}, \"seconds\": {:.6}, \"per_second\": {:.1}, \"p50_us\": {}, \"p99_us\": {}}}",
            latencies.total(),
            elapsed.as_secs_f64(),
            latencies.total() as f64 / elapsed.as_secs_f64(),
            latencies.percentile(0.50),
            latencies.percentile(0.99),
        )
    }
}

/// Opens one connection that speaks and those that listen, each greeted.
async fn open(load: &FanOutLoad, connector: &Connector) -> io::Result<(Connection, Vec<Connection>)> {
    let mut listeners = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let mut connection = connector.connect().await?;
        match load.fan {
            Fan::Chat => join(&mut connection).await?,
            Fan::Events => {
                connection.write_all(b"GET /events HTTP/1.1\r\nhost: bench\r\n\r\n").await?;
                let head = read_until(&mut connection, END_OF_HEAD).await?;
                expect(head.starts_with(b"HTTP/1.1 200 "), &head)?;
                read_until(&mut connection, END_OF_EVENT).await?;
                // The end of the chunk.
                read_until(&mut connection, b"\r\n").await?;
            }
        }
        listeners.push(connection);
    }
    let speaker = match (load.fan, listeners.pop()) {
        // One more would hear too, and read nothing.
        (Fan::Chat, Some(last)) => {
            let (reads, writes) = tokio::io::split(last);
            listeners.push(Box::new(tokio::io::join(reads, tokio::io::sink())));
            Box::new(tokio::io::join(tokio::io::empty(), writes))
        }
        (_, last) => {
            listeners.extend(last);
            connector.connect().await?
        }
    };
    Ok((speaker, listeners))
}

async fn join(connection: &mut Connection) -> io::Result<()> {
    let handshake = "GET / HTTP/1.1\r\nhost: bench\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    connection.write_all(handshake.as_bytes()).await?;
    let head = read_until(connection, END_OF_HEAD).await?;
    expect(head.starts_with(b"HTTP/1.1 101 "), &head)?;
    let mut frame = [0; 2];
    connection.read_exact(&mut frame).await?;
    expect(frame[1] < 126, &frame)?;
    connection.read_exact(&mut vec![0; usize::from(frame[1])]).await?;
    Ok(())
}

/// A byte at a time: what follows is not to be lost, and it is once a connection.
async fn read_until(connection: &mut Connection, end: &[u8]) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        read.push(connection.read_u8().await?);
    }
    Ok(read)
}

fn expect(is_right: bool, bytes: &[u8]) -> io::Result<()> {
    if is_right {
        return Ok(());
    }
    Err(io::Error::other(format!("the server answered {}", bytes.escape_ascii())))
}

/// Takes the answer to a POST.
async fn accepted(speaker: &mut Connection) -> io::Result<()> {
    let mut answer = vec![0; 4096];
    let mut received = 0;
    loop {
        received += match speaker.read(&mut answer[received..]).await? {
            0 => return Err(io::Error::other("the server closed a connection, or its answer is too long")),
            length => length,
        };
        let read = &answer[..received];
        expect(read.starts_with(b"HTTP/1.1 20") || received < 11, read)?;
        // What these applications answer has no body, or `null`.
        let is_whole = read.ends_with(END_OF_HEAD) && !read.ends_with(b"null") && says_empty(read);
        if is_whole || read.ends_with(b"\r\n\r\nnull") {
            return Ok(());
        }
    }
}

fn says_empty(head: &[u8]) -> bool {
    head.starts_with(b"HTTP/1.1 204 ")
        || head.windows(19).any(|line| line.eq_ignore_ascii_case(b"content-length: 0\r\n"))
}

async fn hear_frames(
    mut connection: Connection,
    expected: &[u8],
    round: &Round,
    of: usize,
) -> io::Result<()> {
    let mut buffer = vec![0; expected.len() + 1];
    loop {
        let mut received = 0;
        while received < expected.len() {
            received += match connection.read(&mut buffer[received..]).await? {
                0 => return Err(io::Error::other("the server closed a connection")),
                length => length,
            };
        }
        if buffer[..received] != *expected {
            return Err(io::Error::other("the server sent something else than was said"));
        }
        round.hear(of);
    }
}

async fn hear_events(
    mut connection: Connection,
    expected: &[u8],
    round: &Round,
    of: usize,
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(expected.len() * 2 + 64);
    loop {
        if connection.read_buf(&mut buffer).await? == 0 {
            return Err(io::Error::other("the server closed a connection"));
        }
        while let Some(end) = buffer.windows(2).position(|bytes| bytes == END_OF_EVENT) {
            let event = &buffer[..end + 2];
            if event.ends_with(expected) {
                round.hear(of);
            } else if !event.ends_with(PING) {
                return Err(io::Error::other("the server sent something else than was said"));
            }
            buffer.drain(..end + 2);
        }
    }
}

/// The beginning of a whole text (RFC 6455 section 5.2).
fn frame_head(size: usize, masked: u8) -> Vec<u8> {
    const WHOLE_TEXT: u8 = 0x81;
    match (u8::try_from(size), u16::try_from(size)) {
        (Ok(size), _) if size < 126 => vec![WHOLE_TEXT, masked | size],
        (_, Ok(size)) => [&[WHOLE_TEXT, masked | 126][..], &size.to_be_bytes()].concat(),
        _ => [&[WHOLE_TEXT, masked | 127][..], &(size as u64).to_be_bytes()].concat(),
    }
}
