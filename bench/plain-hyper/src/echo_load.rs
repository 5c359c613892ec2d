//! The load of the echo rows: closed-loop clients on one thread that count messages and latencies.

use std::{
    cell::RefCell,
    io,
    net::Ipv4Addr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time,
};

use crate::arguments::EchoLoad;

// A server that stops answering must not keep the bench waiting.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the load and returns its figures as one line of JSON.
pub async fn run(load: EchoLoad) -> io::Result<String> {
    let message: Rc<[u8]> = message(load.size, load.seed).into();
    let mut streams = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let stream = time::timeout(GRACE, TcpStream::connect((Ipv4Addr::LOCALHOST, load.port)));
        let stream = stream.await.map_err(|_| io::Error::other("connecting took too long"))??;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }

    let latencies = Rc::new(RefCell::new(Latencies::new()));
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for stream in streams {
        let (message, latencies) = (message.clone(), latencies.clone());
        clients.spawn_local(
            async move { send_until(stream, &message, began + load.duration, &latencies).await },
        );
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
    mut stream: TcpStream,
    message: &[u8],
    deadline: Instant,
    latencies: &RefCell<Latencies>,
) -> io::Result<()> {
    // Twice the message: a read that leaves room needs no second read to learn that it is done.
    let mut buffer = vec![0; message.len() * 2];
    let mut sent_at = Instant::now();
    while sent_at < deadline {
        stream.write_all(message).await?;
        let mut received = 0;
        while received < message.len() {
            match stream.read(&mut buffer[received..]).await? {
                0 => return Err(io::Error::other("the server closed a connection")),
                length => received += length,
            }
        }
        if buffer[..received] != *message {
            return Err(io::Error::other("the server echoed other bytes than were sent"));
        }
        let now = Instant::now();
        latencies.borrow_mut().record(now - sent_at);
        sent_at = now;
    }
    Ok(())
}

/// Bytes that differ along the message, so that a wrong echo cannot pass by chance.
fn message(size: usize, seed: u64) -> Vec<u8> {
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

    #[test]
    fn messages_repeat_with_their_seed_only() {
        assert_eq!(message(64, 7), message(64, 7));
        assert_ne!(message(64, 7), message(64, 8));
        assert_ne!(message(64, 0)[..32], message(64, 0)[32..]);
    }
}
