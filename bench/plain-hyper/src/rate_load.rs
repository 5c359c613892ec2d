//! The load at a rate: requests begin when they are due, whether the server keeps up or not.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    task::{self, JoinSet},
    time,
};

use crate::{
    endpoint::{Connection, Connector, Endpoint},
    http::Version,
    latencies::Latencies,
    message::{Message, Talk},
};

/// Requests that are due so soon are waited for without sleeping: the timer counts in milliseconds.
const SOON: Duration = Duration::from_millis(3);
/// What is asked may take so long beyond its deadline, to connect above all.
const GRACE: Duration = Duration::from_secs(5);

/// One bounded run of the load.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLoad {
    pub endpoint: Endpoint,
    /// Requests a second, of all connections together.
    pub rate: f64,
    /// How many connections take turns; one whose answer is not there yet begins its next request late.
    pub connections: usize,
    pub duration: Duration,
    /// A request without an answer by then is given up, and its connection closed.
    pub deadline: Duration,
}

/// What became of the requests.
struct Count {
    /// Answered with 200 before their deadlines, from when they were due.
    good: Latencies,
    /// Answered with something else, refusals above all.
    refused: u64,
    /// Given up.
    late: u64,
    /// Broken off by the server, or never begun because it could not be connected to.
    broken: u64,
}

/// Runs the load and returns its figures as one line of JSON.
pub async fn run(load: RateLoad) -> io::Result<String> {
    let load = Rc::new(load);
    let shared = Rc::new(Shared {
        connector: Connector::new(&load.endpoint, Version::Http1)?,
        message: Message::new(Talk::Http, 0, 1),
        count: RefCell::new(Count { good: Latencies::new(), refused: 0, late: 0, broken: 0 }),
    });
    let period = Duration::from_secs_f64(load.connections as f64 / load.rate);
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..load.connections {
        let first = began + period.mul_f64(number as f64 / load.connections as f64);
        clients.spawn_local(ask_in_turn(load.clone(), shared.clone(), first, period, began + load.duration));
    }
    time::timeout(load.duration + load.deadline + GRACE, async {
        while let Some(ended) = clients.join_next().await {
            ended.map_err(io::Error::other)?;
        }
        Ok::<_, io::Error>(())
    })
    .await
    .map_err(|_| io::Error::other("the load did not come to its end"))??;
    Ok(report(&shared.count.borrow(), load.duration))
}

struct Shared {
    connector: Connector,
    message: Message,
    count: RefCell<Count>,
}

/// One connection's requests. Those that fall due while one is under way are sent late, not left out, and
/// how long they took counts from when they were due.
async fn ask_in_turn(load: Rc<RateLoad>, shared: Rc<Shared>, first: Instant, period: Duration, end: Instant) {
    let mut buffer = shared.message.receive_buffer();
    let mut kept = None;
    let mut due = first;
    while due < end {
        wait_until(due).await;
        let began = Instant::now();
        let asked = ask(&shared, kept.take(), &mut buffer);
        let outcome = time::timeout_at((began + load.deadline).into(), asked).await;
        let mut count = shared.count.borrow_mut();
        match outcome {
            Ok(Ok((connection, true))) => {
                let took = due.elapsed();
                if took <= load.deadline {
                    count.good.record(took)
                } else {
                    count.late += 1
                }
                kept = Some(connection);
            }
            Ok(Ok((connection, false))) => {
                count.refused += 1;
                kept = Some(connection);
            }
            Ok(Err(_)) => count.broken += 1,
            Err(_) => count.late += 1,
        }
        due += period;
        // One that has given up has given up all that was due meanwhile.
        while due + load.deadline < Instant::now() && due < end {
            count.late += 1;
            due += period;
        }
    }
}

async fn ask(shared: &Shared, kept: Option<Connection>, buffer: &mut [u8]) -> io::Result<(Connection, bool)> {
    let mut connection = match kept {
        Some(connection) => connection,
        None => shared.connector.connect().await?,
    };
    let good = shared.message.ask(&mut connection, buffer).await?;
    Ok((connection, good))
}

async fn wait_until(due: Instant) {
    if let Some(long) = due.checked_duration_since(Instant::now() + SOON) {
        time::sleep(long).await;
    }
    while Instant::now() < due {
        task::yield_now().await;
    }
}

fn report(count: &Count, duration: Duration) -> String {
    format!(
        "{{\"good\": {}, \"refused\": {}, \"late\": {}, \"broken\": {}, \"seconds\": {:.6}, \
         \"p50_us\": {}, \"p99_us\": {}}}",
        count.good.total(),
        count.refused,
        count.late,
        count.broken,
        duration.as_secs_f64(),
        count.good.percentile(0.50),
        count.good.percentile(0.99),
    )
}
