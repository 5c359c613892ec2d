//! The HTTP client without Python: hyper on one thread, each request sent when the one before it is answered.

use std::{
    cell::{Cell, RefCell},
    fs, io,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::Incoming,
    client::conn::{http1, http2},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use tokio::{
    task::{self, JoinSet},
    time,
};

use crate::{
    endpoint::{Connector, Endpoint},
    http::{Here, Version},
    latencies::Latencies,
};

// A server that stops answering must not keep the bench waiting.
const GRACE: Duration = Duration::from_secs(5);
const WARM_UP: usize = 3;

/// One bounded run of the load.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchLoad {
    pub endpoint: Endpoint,
    pub version: Version,
    pub connections: usize,
    pub path: String,
    /// Bytes of the request's body; 0 for a GET.
    pub post: usize,
    /// Bytes of each answer.
    pub expected: usize,
    pub duration: Duration,
}

/// Who sends a request: a connection of its own, or a place on one that all share.
enum Sender {
    Alone(http1::SendRequest<Full<Bytes>>),
    Shared(http2::SendRequest<Full<Bytes>>),
}

struct Client {
    load: FetchLoad,
    connector: Connector,
    body: Bytes,
    latencies: RefCell<Latencies>,
    /// When no more is to be asked.
    deadline: Cell<Option<Instant>>,
}

/// Runs the load and returns its figures as one line of JSON.
pub async fn run(load: FetchLoad) -> io::Result<String> {
    let connector = Connector::new(&load.endpoint, load.version)?;
    let body = Bytes::from(vec![b'p'; load.post]);
    let (latencies, deadline) = (RefCell::new(Latencies::new()), Cell::new(None));
    let client = Rc::new(Client { load, connector, body, latencies, deadline });
    let shared = match client.load.version {
        Version::Http1 => None,
        Version::Http2 => Some(client.share().await?),
    };
    client.all(shared.as_ref()).await?;
    client.latencies.replace(Latencies::new());
    let (began, cpu) = (Instant::now(), cpu_time()?);
    client.deadline.set(Some(began + client.load.duration));
    client.all(shared.as_ref()).await?;
    let (wall, cpu) = (began.elapsed(), cpu_time()?.saturating_sub(cpu));
    let latencies = client.latencies.borrow();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / latencies.total() as f64;
    Ok(format!(
        "{{\"per_second\": {:.1}, \"wall_us\": {:.3}, \"cpu_us\": {:.3}, \"p50_us\": {}, \"p99_us\": {}}}",
        latencies.total() as f64 / wall.as_secs_f64(),
        each(wall),
        each(cpu),
        latencies.percentile(0.50),
        latencies.percentile(0.99),
    ))
}

impl Client {
    /// Has all ask side by side, until the deadline or to warm up.
    async fn all(self: &Rc<Self>, shared: Option<&http2::SendRequest<Full<Bytes>>>) -> io::Result<()> {
        let mut asking = JoinSet::new();
        for _ in 0..self.load.connections {
            let (client, shared) = (self.clone(), shared.cloned());
            asking.spawn_local(async move { client.ask(shared.map(Sender::Shared)).await });
        }
        let all = async {
            while let Some(ended) = asking.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok::<_, io::Error>(())
        };
        time::timeout(self.load.duration + GRACE, all)
            .await
            .map_err(|_| io::Error::other("the server stopped answering"))?
    }

    async fn ask(&self, mut sender: Option<Sender>) -> io::Result<()> {
        let mut asked = 0;
        loop {
            let begun = Instant::now();
            match self.deadline.get() {
                Some(deadline) if begun >= deadline => return Ok(()),
                None if asked == WARM_UP => return Ok(()),
                _ => asked += 1,
            }
            let mut ready = match sender.take() {
                Some(ready) => ready,
                None => self.connect().await?,
            };
            let length = self.fetch(&mut ready).await?;
            if length != self.load.expected {
                let words = format!("{length} bytes came, not {}", self.load.expected);
                return Err(io::Error::other(words));
            }
            self.latencies.borrow_mut().record(begun.elapsed());
            sender = ready.stays().await.then_some(ready);
        }
    }

    async fn fetch(&self, sender: &mut Sender) -> io::Result<usize> {
        let method = if self.body.is_empty() { Method::GET } else { Method::POST };
        let mut request = Request::builder().method(method);
        request = match sender {
            Sender::Alone(_) => request.uri(&self.load.path).header(HOST, "localhost"),
            Sender::Shared(_) => request.uri(format!("https://localhost{}", self.load.path)),
        };
        let request = request.body(Full::new(self.body.clone())).map_err(io::Error::other)?;
        let mut response: Response<Incoming> = match sender {
            Sender::Alone(sender) => sender.send_request(request).await,
            Sender::Shared(sender) => sender.send_request(request).await,
        }
        .map_err(io::Error::other)?;
        let mut length = 0;
        while let Some(frame) = response.frame().await {
            length += frame.map_err(io::Error::other)?.data_ref().map_or(0, Bytes::len);
        }
        Ok(length)
    }

    async fn connect(&self) -> io::Result<Sender> {
        let stream = TokioIo::new(self.connector.connect().await?);
        let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
        task::spawn_local(connection);
        Ok(Sender::Alone(sender))
    }

    async fn share(&self) -> io::Result<http2::SendRequest<Full<Bytes>>> {
        let stream = TokioIo::new(self.connector.connect().await?);
        let (sender, connection) = http2::handshake(Here, stream).await.map_err(io::Error::other)?;
        task::spawn_local(connection);
        Ok(sender)
    }
}

impl Sender {
    /// Whether it can send another; a server may end a connection with its answer.
    async fn stays(&mut self) -> bool {
        match self {
            Self::Alone(sender) => sender.ready().await.is_ok(),
            Self::Shared(_) => true,
        }
    }
}

/// What this thread, the only one, has had of a processor.
fn cpu_time() -> io::Result<Duration> {
    let told = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = told.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| io::Error::other("schedstat says nothing"))
}
