//! The load that never pauses: closed-loop clients on one thread that count messages and latencies.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time};

use crate::{
    endpoint::{Connection, Connector, Endpoint},
    http::Version,
    latencies::Latencies,
    message::{Message, Talk},
};

// A server that stops answering must not keep the bench waiting.
const GRACE: Duration = Duration::from_secs(5);

/// One bounded run of the load.
#[derive(Clone, Debug, PartialEq)]
pub struct EchoLoad {
    pub endpoint: Endpoint,
    pub talk: Talk,
    pub connections: usize,
    pub size: usize,
    pub duration: Duration,
    pub seed: u64,
}

/// Runs the load and returns its figures as one line of JSON.
pub async fn run(load: EchoLoad) -> io::Result<String> {
    let message = Rc::new(Message::new(load.talk, load.size, load.seed));
    let connector = Connector::new(&load.endpoint, Version::Http1)?;
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let connection = time::timeout(GRACE, async {
            let mut connection = connector.connect().await?;
            message.open(&mut connection).await?;
            Ok::<_, io::Error>(connection)
        });
        connections.push(connection.await.map_err(|_| io::Error::other("connecting took too long"))??);
    }

    let latencies = Rc::new(RefCell::new(Latencies::new()));
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for connection in connections {
        let (message, latencies) = (message.clone(), latencies.clone());
        clients.spawn_local(async move {
            send_until(connection, &message, began + load.duration, &latencies).await
        });
    }
    time::timeout(load.duration + GRACE, async {
        while let Some(ended) = clients.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok::<_, io::Error>(())
    })
    .await
    .map_err(|_| io::Error::other("the server stopped answering"))??;
    Ok(report(&latencies.borrow(), began.elapsed()))
}

async fn send_until(
    mut connection: Connection,
    message: &Message,
    deadline: Instant,
    latencies: &RefCell<Latencies>,
) -> io::Result<()> {
    let mut buffer = message.receive_buffer();
    let mut sent_at = Instant::now();
    while sent_at < deadline {
        message.exchange(&mut connection, &mut buffer).await?;
        let now = Instant::now();
        latencies.borrow_mut().record(now - sent_at);
        sent_at = now;
    }
    Ok(())
}

fn report(latencies: &Latencies, elapsed: Duration) -> String {
    format!(
        "{{\"messages\": {}, \"seconds\": {:.6}, \"per_second\": {:.1}, \"p50_us\": {}, \"p99_us\": {}}}",
        latencies.total(),
        elapsed.as_secs_f64(),
        latencies.total() as f64 / elapsed.as_secs_f64(),
        latencies.percentile(0.50),
        latencies.percentile(0.99),
    )
}
