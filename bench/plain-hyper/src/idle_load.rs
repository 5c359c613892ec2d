//! The load of the memory rows: many connections that are open and quiet.

use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use tokio::time;

use crate::{
    endpoint::{Connection, Connector, Endpoint},
    http::Version,
    message::{Message, Talk},
};

// For all connections together; a server that does not accept must not keep the bench waiting.
const LONGEST: Duration = Duration::from_secs(60);

/// How many connections to hold open.
#[derive(Clone, Debug, PartialEq)]
pub struct IdleLoad {
    pub endpoint: Endpoint,
    pub talk: Talk,
    pub connections: usize,
    /// Each connection has had the answer to one message of this size, so the server has accepted it.
    pub size: usize,
    pub seed: u64,
}

/// Opens the connections, prints how long that took, and holds them until standard input ends.
pub async fn run(load: IdleLoad) -> io::Result<()> {
    let began = Instant::now();
    let opened = time::timeout(LONGEST, open(&load)).await;
    let connections = opened.map_err(|_| io::Error::other("connecting took too long"))??;
    println!("{{\"connections\": {}, \"seconds\": {:.6}}}", connections.len(), began.elapsed().as_secs_f64());
    io::stdout().flush()?;
    // The runtime's thread may wait here: nothing is to happen on the connections.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn open(load: &IdleLoad) -> io::Result<Vec<Connection>> {
    let message = Message::new(load.talk, load.size, load.seed);
    let mut buffer = message.receive_buffer();
    let connector = Connector::new(&load.endpoint, Version::Http1)?;
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let mut connection = connector.connect().await?;
        message.open(&mut connection).await?;
        message.exchange(&mut connection, &mut buffer).await?;
        connections.push(connection);
    }
    Ok(connections)
}
