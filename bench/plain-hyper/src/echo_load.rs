//! The load of the echo rows: closed-loop clients on one thread that count messages and latencies.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time};

use crate::{
    endpoint::{Connection, Connector, Endpoint},
    message::{exchange, message, receive_buffer},
};

// A server that stops answering must not keep the bench waiting.
const GRACE: Duration = Duration::from_secs(5);

/// One bounded run of the load.
#[derive(Clone, Debug, PartialEq)]
pub struct EchoLoad {
    pub endpoint: Endpoint,
    pub connections: usize,
    pub size: usize,
    pub duration: Duration,
    pub seed: u64,
}

/// Runs the load and returns its figures as one line of JSON.
pub async fn run(load: EchoLoad) -> io::Result<String> {
    let message: Rc<[u8]> = message(load.size, load.seed).into();
    let connector = Connector::new(&load.endpoint)?;
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let connection = time::timeout(GRACE, connector.connect());
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
    Ok(latencies.borrow().report(began.elapsed()))
}

async fn send_until(
    mut connection: Connection,
    message: &[u8],
    deadline: Instant,
    latencies: &RefCell<Latencies>,
) -> io::Result<()> {
    let mut buffer = receive_buffer(message);
    let mut sent_at = Instant::now();
    while sent_at < deadline {
        exchange(&mut connection, message, &mut buffer).await?;
        let now = Instant::now();
        latencies.borrow_mut().record(now - sent_at);
        sent_at = now;
    }
    Ok(())
}

/// Counts per whole microsecond: exact percentiles in a fixed amount of memory.
struct Latencies {
    counts: Vec<u32>,
    total: u64,
}

impl Latencies {
    /// Latencies beyond this many microseconds are counted as this many.
    const LONGEST: usize = 500_000;

    fn new() -> Self {
        Self { counts: vec![0; Self::LONGEST + 1], total: 0 }
    }

    fn record(&mut self, latency: Duration) {
        let bucket = usize::try_from(latency.as_micros()).unwrap_or(usize::MAX).min(Self::LONGEST);
        self.counts[bucket] += 1;
        self.total += 1;
    }

    /// The smallest latency that at least `share` of all messages did not exceed.
    fn percentile(&self, share: f64) -> usize {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (microseconds, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return microseconds;
            }
        }
        Self::LONGEST
    }

    fn report(&self, elapsed: Duration) -> String {
        format!(
            "{{\"messages\": {}, \"seconds\": {:.6}, \"per_second\": {:.1}, \"p50_us\": {}, \"p99_us\": {}}}",
            self.total,
            elapsed.as_secs_f64(),
            self.total as f64 / elapsed.as_secs_f64(),
            self.percentile(0.50),
            self.percentile(0.99),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_a_microsecond() {
        let mut latencies = Latencies::new();
        for microseconds in 1..=100 {
            latencies.record(Duration::from_micros(microseconds));
        }
        assert_eq!((latencies.percentile(0.50), latencies.percentile(0.99)), (50, 99));
        latencies.record(Duration::from_secs(60));
        assert_eq!(latencies.percentile(1.0), Latencies::LONGEST);
    }
}
