//! A server on a port of its own, an application made of closures, and a bare client.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use hoop_net::{
    Address, Application, Bind, ConnectionFacts, Executor, HandshakeFailure, Incoming, Limiter, Limits,
    ListenOptions, ListenSocket, Listener, Refusal, Renewal, ResponseBody, ServeSettings, Shutdown,
    WebSocketHandshake, serve,
};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::timeout;

/// No test takes nearly as long; one that waits in vain fails.
const PATIENCE: Duration = Duration::from_secs(20);

type Answering = Pin<Box<dyn Future<Output = Response<ResponseBody>>>>;

/// Runs a test on one thread, as the server is meant to.
pub fn in_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new()
        .block_on(&runtime, async { timeout(PATIENCE, test).await.expect("the test ends in time") });
}

#[derive(Clone)]
struct LocalTasks;

impl Executor for LocalTasks {
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        spawn_local(task);
    }
}

/// An application, and all that it was told.
pub struct App {
    respond: Box<dyn Fn(Request<Incoming>) -> Answering>,
    websocket: Box<dyn Fn(WebSocketHandshake) -> Answering>,
    pub connections: RefCell<Vec<(Address, Address)>>,
    pub refusals: RefCell<Vec<Refusal>>,
    pub overloads: Cell<u64>,
}

impl App {
    /// Answers requests with `respond`, and handshakes with 501.
    pub fn new<F>(respond: impl Fn(Request<Incoming>) -> F + 'static) -> Self
    where
        F: Future<Output = Response<ResponseBody>> + 'static,
    {
        Self {
            respond: Box::new(move |request| Box::pin(respond(request))),
            websocket: Box::new(|_| Box::pin(async { status(StatusCode::NOT_IMPLEMENTED) })),
            connections: RefCell::default(),
            refusals: RefCell::default(),
            overloads: Cell::default(),
        }
    }

    /// Answers handshakes with `websocket`.
    pub fn with_websocket<F>(mut self, websocket: impl Fn(WebSocketHandshake) -> F + 'static) -> Self
    where
        F: Future<Output = Response<ResponseBody>> + 'static,
    {
        self.websocket = Box::new(move |handshake| Box::pin(websocket(handshake)));
        self
    }

    /// Answers every request with its path.
    pub fn path() -> Self {
        Self::new(|request| async move {
            Response::new(ResponseBody::Whole(request.uri().path().to_owned().into()))
        })
    }
}

impl Application for App {
    type Connection = ();

    fn connected(&self, facts: &ConnectionFacts) {
        self.connections.borrow_mut().push((facts.peer.clone(), facts.local.clone()));
    }

    fn respond(
        self: &Rc<Self>,
        _connection: &Rc<()>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ResponseBody>> + 'static {
        (self.respond)(request)
    }

    fn websocket(
        self: &Rc<Self>,
        _connection: &Rc<()>,
        handshake: WebSocketHandshake,
    ) -> impl Future<Output = Response<ResponseBody>> + 'static {
        (self.websocket)(handshake)
    }

    fn refused(&self, _connection: &(), refusal: Refusal) {
        self.refusals.borrow_mut().push(refusal);
    }

    fn overloaded(&self, requests: u64) {
        self.overloads.set(self.overloads.get() + requests);
    }

    fn tick(&self, _now: Duration) {}

    fn handshake_failed(&self, peer: &Address, failure: &HandshakeFailure) {
        panic!("a connection of {peer} ended before it began: {failure}");
    }

    fn certificates_renewed(&self, renewal: &Renewal) {
        panic!("there are no certificates here: {renewal:?}");
    }

    fn accept_failed(&self, error: &io::Error) {
        panic!("accepting failed: {error}");
    }
}

/// A running server. What it still does when it is dropped ends with the runtime.
pub struct Running {
    pub app: Rc<App>,
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    pub serving: JoinHandle<()>,
}

impl Running {
    pub fn new(app: App) -> Self {
        Self::with_shutdown(app, Shutdown::default())
    }

    pub fn with_shutdown(app: App, shutdown: Shutdown) -> Self {
        Self::with(app, shutdown, Limits::default())
    }

    pub fn with_limits(app: App, limits: Limits) -> Self {
        Self::with(app, Shutdown::default(), limits)
    }

    fn with(app: App, shutdown: Shutdown, limits: Limits) -> Self {
        let listener = listening_on(Bind::Tcp { host: "127.0.0.1".to_owned(), port: 0 });
        let Address::Ip(address) = *listener.address() else { panic!("not TCP") };
        let app = Rc::new(app);
        let settings = ServeSettings { limiter: Limiter::new(limits), ..ServeSettings::default() };
        let serving = spawn_local(serve(listener, app.clone(), LocalTasks, shutdown.clone(), settings));
        Self { app, address, shutdown, serving }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends bytes over a connection of their own; all that comes back until the server ends it.
    pub async fn talk(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may hang up before it has read everything.
        let _ = stream.write_all(bytes).await;
        rest(&mut stream).await
    }

    /// The same, but the client ends its side first.
    pub async fn talk_and_end(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        rest(&mut stream).await
    }
}

/// Opens one socket.
pub fn listening_on(bind: Bind) -> Listener {
    let options = ListenOptions { backlog: 128, reuse_port: false, unix_mode: None };
    let socket = ListenSocket::open_all(&[bind], &options).expect("a socket").pop().expect("one");
    Listener::new(socket).expect("a runtime")
}

/// Runs a server on a listener of the test's own making.
pub fn serve_on(listener: Listener, app: App) -> Rc<App> {
    let app = Rc::new(app);
    spawn_local(serve(listener, app.clone(), LocalTasks, Shutdown::default(), ServeSettings::default()));
    app
}

/// All that comes until the connection ends, in order or by a reset.
pub async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await;
    String::from_utf8(received).expect("text")
}

/// What comes, up to and including `end`.
pub async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut received = String::new();
    while !received.ends_with(end) {
        let byte = stream.read_u8().await.expect("more to come");
        received.push(char::from(byte));
    }
    received
}

pub async fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.expect("the server takes it");
}

/// A request without a body.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

/// The last request of a connection.
pub fn last_get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
}

pub fn status(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(""));
    *response.status_mut() = status;
    response
}
