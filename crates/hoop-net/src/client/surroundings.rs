//! What the client asks of its embedder: where tasks run, and how names are resolved.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

/// A future of one thread.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// The embedder.
pub trait Surroundings: 'static {
    /// Runs a task to its end, on the thread that polls the client's futures.
    fn spawn(&self, task: LocalFuture<()>);

    /// The addresses of a name, the best first.
    fn resolve(&self, host: &str, port: u16) -> LocalFuture<io::Result<Vec<SocketAddr>>>;
}

/// How hyper spawns the streams of HTTP/2.
#[derive(Clone)]
pub struct Spawner(pub Rc<dyn Surroundings>);

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, future: F) {
        self.0.spawn(Box::pin(future));
    }
}
