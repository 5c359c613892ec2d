//! One request and its answer: a connection found, the request sent, and sent again where that is safe.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::header::{CONTENT_LENGTH, HOST};
use http::response::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use hyper::body::Incoming;

use super::Client;
use super::connection::{Made, Unsent, begin};
use super::destination::Destination;
use super::download::{Download, Flow};
use super::failure::{Failure, Fault, Phase, is_goodbye, reason};
use super::http1::Broken;
use super::lease::{ExclusiveLease, SharedLease, Slot};
use super::patience::Patience;
use super::pool::Grant;
use super::request_body::{Payload, RequestBody, Sending};

/// So often a request is sent again that came upon connections which had ended.
const MOST_ATTEMPTS: usize = 4;
/// Fields that say something about a connection of HTTP/1, and nothing in HTTP/2 (RFC 9113 section 8.2.2).
const OF_THE_CONNECTION: [HeaderName; 4] = [
    HeaderName::from_static("connection"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("transfer-encoding"),
];

/// A request as the embedder makes it.
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub destination: Arc<Destination>,
    /// All fields but Host, which is of the destination unless it is given.
    pub headers: Arc<HeaderMap>,
    /// The body.
    pub payload: Payload,
}

/// An attempt that came to nothing.
struct Attempt {
    failure: Failure,
    /// Whether another attempt cannot do harm.
    again: bool,
}

impl Client {
    /// Sends a request and awaits the head of its answer. Dropping the future gives the connection back, or
    /// closes it where the exchange has begun.
    pub async fn send(
        self: &Rc<Self>,
        mut request: Outgoing,
        mut patience: Patience,
    ) -> Result<Response<Download>, (Failure, Patience)> {
        match self.attempt_all(&mut request, &mut patience).await {
            Ok((head, flow)) => {
                let answers_head = request.method == Method::HEAD;
                let flow = flow.send_on(&self.surroundings);
                Ok(Response::from_parts(head, Download::new(flow, patience, answers_head)))
            }
            Err(failure) => Err((failure, patience)),
        }
    }

    async fn attempt_all(
        self: &Rc<Self>,
        request: &mut Outgoing,
        patience: &mut Patience,
    ) -> Result<(Parts, Flow), Failure> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let lease = self.lease(&request.destination, patience).await?;
            let Some(body) = request.payload.begin() else {
                let words = "the connection ended, and the body cannot be made again to send it once more";
                return Err(Failure::new(Phase::Write, Fault::Broken, words));
            };
            match attempt(request, body, lease, patience).await {
                Ok(answered) => return Ok(answered),
                Err(Attempt { failure, again }) => {
                    let is_there = !matches!(request.payload, Payload::Stream(_));
                    if !again || !is_there || attempts >= MOST_ATTEMPTS {
                        return Err(failure);
                    }
                    // Where one connection has ended, its neighbours have.
                    self.pool.forget_idle(&request.destination.origin);
                }
            }
        }
    }

    /// A connection for one request.
    async fn lease(
        self: &Rc<Self>,
        destination: &Destination,
        patience: &mut Patience,
    ) -> Result<Lease, Failure> {
        if self.is_closed.get() {
            return Err(Failure::new(Phase::Pool, Fault::Closed, "the client is closed"));
        }
        match patience.within(Phase::Pool, self.pool.acquire(&destination.origin)).await? {
            Grant::Exclusive(lease) => Ok(Lease::Exclusive(lease)),
            Grant::Shared(lease) => Ok(Lease::Shared(lease)),
            // Apart: it is by far the largest part of the exchange, and happens now and then.
            Grant::Slot(slot) => Box::pin(self.connect(slot, patience)).await,
        }
    }

    async fn connect(self: &Rc<Self>, slot: Slot, patience: &mut Patience) -> Result<Lease, Failure> {
        let dialed = self.dialer.dial(&slot.origin, patience).await?;
        let shares = !slot.origin.forwards() && (dialed.speaks_http2 || !self.protocols.http1);
        let streams = self.pool.limits().streams;
        let making = begin(dialed, shares, slot, &self.surroundings, streams);
        let made = patience.within(Phase::Connect, making).await??;
        self.keep_watch();
        Ok(match made {
            Made::Exclusive(connection) => Lease::Exclusive(ExclusiveLease::new(&self.pool, connection)),
            Made::Shared(shared) => Lease::Shared(self.pool.share(shared)),
        })
    }
}

/// What a request has a connection by.
enum Lease {
    /// For itself.
    Exclusive(ExclusiveLease),
    /// With others.
    Shared(SharedLease),
}

/// Sends the request on this connection.
async fn attempt(
    request: &Outgoing,
    body: RequestBody,
    lease: Lease,
    patience: &mut Patience,
) -> Result<(Parts, Flow), Attempt> {
    match lease {
        Lease::Exclusive(lease) => attempt_alone(request, body, lease, patience).await,
        Lease::Shared(lease) => attempt_shared(request, body, lease, patience).await,
    }
}

/// By HTTP/1.
async fn attempt_alone(
    request: &Outgoing,
    body: RequestBody,
    mut lease: ExclusiveLease,
    patience: &mut Patience,
) -> Result<(Parts, Flow), Attempt> {
    let Some(connection) = lease.connection() else { return Err(gone()) };
    connection.is_at_work.set(true);
    let has_served = connection.has_served.replace(true);
    let (http1, head) = (&mut *connection.http1, connection.head.of(request));
    let wants_length = matches!(request.method, Method::POST | Method::PUT | Method::PATCH);
    http1.begin(head, wants_length, request.method == Method::HEAD, body);
    patience.renew();
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = http1.poll_answer(cx) {
            return Poll::Ready(Ok(answer));
        }
        let (phase, since) =
            if http1.is_sent() { (Phase::Read, None) } else { (Phase::Write, http1.last_sent()) };
        patience.poll_expired(cx, phase, since, None).map(Err)
    });
    match answer.await {
        Ok(Ok(head)) => Ok((head, Flow::Alone(lease))),
        Ok(Err(Broken { mut failure, is_silent, is_unsent })) => {
            failure.was_left_alone = is_unsent;
            // An idle connection may end in the moment that a request is on its way to it.
            let has_just_ended = has_served && is_silent && request.method.is_idempotent();
            Err(Attempt { failure, again: is_unsent || has_just_ended })
        }
        Err(failure) => Err(Attempt { failure, again: false }),
    }
}

/// By HTTP/2.
async fn attempt_shared(
    request: &Outgoing,
    body: RequestBody,
    lease: SharedLease,
    patience: &mut Patience,
) -> Result<(Parts, Flow), Attempt> {
    let sending = body.sending();
    let mut sender = lease.shared.sender.clone();
    let head = head_http2(request, body).map_err(|failure| Attempt { failure, again: false })?;
    let answer = sender.try_send_request(head);
    match awaited(answer, &sending, patience).await {
        Ok(Ok(response)) => {
            let (head, incoming) = response.into_parts();
            Ok((head, Flow::Shared(incoming, lease)))
        }
        Ok(Err(unsent)) => {
            if is_goodbye(unsent.error()) {
                lease.shared.is_retired.set(true);
            }
            Err(verdict(&request.method, unsent, &sending))
        }
        Err(failure) => Err(Attempt { failure, again: false }),
    }
}

fn gone() -> Attempt {
    Attempt { failure: Failure::new(Phase::Pool, Fault::Broken, "the connection is gone"), again: true }
}

/// Whether a request that failed may be sent once more (RFC 9110 section 9.2.2, RFC 9113 section 8.7).
fn verdict(method: &Method, mut unsent: Unsent, sending: &Sending) -> Attempt {
    let was_never_sent = unsent.take_message().is_some();
    let error = unsent.into_error();
    let was_refused = reason(&error) == Some(h2::Reason::REFUSED_STREAM);
    let has_ended = error.is_canceled() || is_reset(&error) || is_goodbye(&error);
    let again = was_never_sent || was_refused || (has_ended && method.is_idempotent());
    let is_sending = sending.last.get().is_some() && !sending.ended.get();
    let phase = if is_sending { Phase::Write } else { Phase::Read };
    let mut failure = Failure::http(phase, &error);
    failure.was_left_alone = was_never_sent || was_refused;
    Attempt { failure, again }
}

fn is_reset(error: &hyper::Error) -> bool {
    let failure = Failure::http(Phase::Read, error);
    failure.fault == Fault::Broken && !error.is_parse()
}

/// The answer, for as long as sending and waiting may take.
async fn awaited(
    answer: impl Future<Output = Result<Response<Incoming>, Unsent>>,
    sending: &Sending,
    patience: &mut Patience,
) -> Result<Result<Response<Incoming>, Unsent>, Failure> {
    let mut answer = pin!(answer);
    patience.renew();
    poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        let writes = !sending.ended.get();
        let (phase, next) = if writes { (Phase::Write, Some(Phase::Read)) } else { (Phase::Read, None) };
        patience.poll_expired(cx, phase, sending.last.get(), next).map(Err)
    })
    .await
}

fn head_http2(request: &Outgoing, body: RequestBody) -> Result<Request<RequestBody>, Failure> {
    let mut head = Request::new(body);
    *head.method_mut() = request.method.clone();
    *head.version_mut() = Version::HTTP_2;
    *head.uri_mut() = match request.headers.get(HOST) {
        None => request.destination.absolute.clone(),
        // Who says the same, as httpx always does, needs nothing made anew.
        Some(host) if *host == request.destination.host => request.destination.absolute.clone(),
        Some(host) => with_authority(&request.destination.absolute, host)?,
    };
    let mut headers = (*request.headers).clone();
    // hyper says how long the body is.
    for name in OF_THE_CONNECTION.iter().chain([&HOST, &CONTENT_LENGTH]) {
        headers.remove(name);
    }
    *head.headers_mut() = headers;
    Ok(head)
}

/// A Host of the program's own is what `:authority` says (RFC 9113 section 8.3.1).
fn with_authority(uri: &Uri, host: &HeaderValue) -> Result<Uri, Failure> {
    let unfit = || Failure::new(Phase::Write, Fault::Local, format!("Host is {host:?}, which names no host"));
    let authority = Authority::try_from(host.as_bytes()).map_err(|_| unfit())?;
    if authority.as_str().contains('@') {
        return Err(unfit());
    }
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(authority);
    Uri::from_parts(parts).map_err(|_| unfit())
}
