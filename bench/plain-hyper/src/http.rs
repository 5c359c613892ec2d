//! The HTTP server without Python: hyper on one thread, as lean as its options allow.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Frame, Incoming},
    header::{CONNECTION, CONTENT_TYPE, HeaderValue},
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::task;

use crate::endpoint::{Connection, Listener};

const STREAM_CHUNKS: usize = 16;
const LARGEST_BLOCK: usize = 10_000_000;
const STREAM_CHUNK: &[u8] = &[b'x'; 1024];

type Answer = Either<Full<Bytes>, Either<Incoming, Chunks>>;

/// Which version is spoken, without asking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Version {
    Http1,
    Http2,
}

/// Runs the tasks of HTTP/2's streams on this thread.
#[derive(Clone, Copy)]
pub struct Here;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Here {
    fn execute(&self, task: F) {
        task::spawn_local(task);
    }
}

/// Serves until the process is ended.
pub async fn serve(listener: Listener, version: Version) -> io::Result<()> {
    loop {
        let accepted = listener.accept().await?;
        task::spawn_local(async move {
            // Clients close, reset and break handshakes off as they like; that is no fault of this server.
            if let Ok(stream) = accepted.ready().await {
                let _ = serve_connection(stream, version).await;
            }
        });
    }
}

async fn serve_connection(stream: Connection, version: Version) -> hyper::Result<()> {
    let stream = TokioIo::new(stream);
    match version {
        Version::Http1 => {
            let mut builder = http1::Builder::new();
            builder.pipeline_flush(true).serve_connection(stream, service_fn(answer)).await
        }
        Version::Http2 => http2::Builder::new(Here).serve_connection(stream, service_fn(answer)).await,
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let mut is_last = false;
    let body = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => Either::Left(Full::new(Bytes::from_static(b"Hello, World!"))),
        (&Method::POST, "/echo") => Either::Right(Either::Left(request.into_body())),
        (&Method::GET, "/stream") => Either::Right(Either::Right(Chunks { remaining: STREAM_CHUNKS })),
        (&Method::GET, "/once") => {
            is_last = true;
            Either::Left(Full::new(Bytes::from_static(b"Hello, World!")))
        }
        (method, path) => match block(path).filter(|_| method == Method::GET) {
            Some(block) => Either::Left(Full::new(block)),
            None => {
                let mut missing = Response::new(Either::Left(Full::default()));
                *missing.status_mut() = StatusCode::NOT_FOUND;
                return Ok(missing);
            }
        },
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if is_last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// What there is at `/bytes/N`: so many bytes, a part of one block that is made once.
fn block(path: &str) -> Option<Bytes> {
    thread_local! {
        static BLOCK: Bytes = Bytes::from(vec![b'x'; LARGEST_BLOCK]);
    }
    let length: usize = path.strip_prefix("/bytes/")?.parse().ok()?;
    (length <= LARGEST_BLOCK).then(|| BLOCK.with(|block| block.slice(..length)))
}

/// A body of equal chunks and unknown length, as an ASGI app streams one.
struct Chunks {
    remaining: usize,
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        self.remaining -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(STREAM_CHUNK)))))
    }
}
