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
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task};

const STREAM_CHUNKS: usize = 16;
const STREAM_CHUNK: &[u8] = &[b'x'; 1024];

type Answer = Either<Full<Bytes>, Either<Incoming, Chunks>>;

/// Serves HTTP/1.1 until the process is ended.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut builder = http1::Builder::new();
    builder.pipeline_flush(true);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = builder.serve_connection(TokioIo::new(stream), service_fn(answer));
        task::spawn_local(async move {
            // Clients close and reset as they like; that is no fault of this server.
            let _ = connection.await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => Either::Left(Full::new(Bytes::from_static(b"Hello, World!"))),
        (&Method::POST, "/echo") => Either::Right(Either::Left(request.into_body())),
        (&Method::GET, "/stream") => Either::Right(Either::Right(Chunks { remaining: STREAM_CHUNKS })),
        _ => {
            let mut missing = Response::new(Either::Left(Full::default()));
            *missing.status_mut() = StatusCode::NOT_FOUND;
            return Ok(missing);
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
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
