//! The Python face of hoopsnake: the only crate that knows pyo3.
//!
//! - `event_loop`: asyncio's loop over a tokio current-thread runtime.
//! - `asgi`: the ASGI application server on that loop.
//! - `limits`: rates, places, breakers, retries and hedges, for any async code.
//! - `client`: the HTTP client on that loop.
//! - `web`: what the web framework does before and after a handler.

mod asgi;
mod client;
mod errors;
mod event_loop;
mod gil_cell;
mod imports;
mod limits;
mod web;

use pyo3::prelude::*;

/// hoopsnake's native engine; use it through the `hoopsnake` package.
#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("_DELAY_BOUNDS", event_loop::statistics::delay_bounds(module.py())?)?;
    module.add_class::<event_loop::LoopCore>()?;
    event_loop::fast_call_soon::install(module.py())?;
    module.add_class::<event_loop::handle::Handle>()?;
    module.add_class::<event_loop::handle::TimerHandle>()?;
    module.add_class::<event_loop::accept::Acceptor>()?;
    module.add_class::<event_loop::clients::Clients>()?;
    module.add_class::<event_loop::transport_table::TransportTable>()?;
    module.add_class::<event_loop::transport::SocketTransport>()?;
    module.add_class::<event_loop::tls::TlsProtocol>()?;
    module.add_class::<event_loop::tls::TlsTransport>()?;
    module.add_class::<event_loop::blocking_call::BlockingCall>()?;
    module.add_class::<event_loop::datagram::DatagramTransport>()?;
    module.add_class::<asgi::ListenSockets>()?;
    module.add_class::<asgi::Server>()?;
    module.add_class::<asgi::Audience>()?;
    module.add_function(wrap_pyfunction!(asgi::network_problem, module)?)?;
    module.add_class::<client::BodyDecoder>()?;
    module.add_class::<client::ByteStream>()?;
    module.add_class::<client::Call>()?;
    module.add_function(wrap_pyfunction!(client::heed_deadlines, module)?)?;
    module.add_class::<client::ClientCore>()?;
    module.add_class::<client::CookieJar>()?;
    module.add_class::<client::DigestChallenge>()?;
    module.add_class::<client::EventReader>()?;
    module.add_class::<client::Headers>()?;
    module.add_class::<client::Netrc>()?;
    module.add_function(wrap_pyfunction!(client::basic_authorization, module)?)?;
    module.add_function(wrap_pyfunction!(client::redirect, module)?)?;
    module.add_class::<client::Response>()?;
    module.add_class::<client::UploadSink>()?;
    module.add_class::<client::Url>()?;
    module.add_class::<client::ClientWebSocket>()?;
    module.add_function(wrap_pyfunction!(client::open_websocket, module)?)?;
    module.add_class::<web::Routes>()?;
    module.add_class::<web::Door>()?;
    module.add_class::<web::ModelWriter>()?;
    module.add_class::<asgi::Arrival>()?;
    module.add_function(wrap_pyfunction!(web::encode_json, module)?)?;
    module.add_class::<limits::RateTable>()?;
    module.add_class::<limits::Places>()?;
    module.add_class::<limits::Breaker>()?;
    module.add_class::<limits::RetryPolicy>()?;
    module.add_class::<limits::BudgetPolicy>()?;
    module.add_class::<limits::HedgePolicy>()?;
    module.add_function(wrap_pyfunction!(limits::retry_after, module)?)?;
    module.add_class::<web::FormReader>()?;
    module.add_class::<web::Folder>()?;
    module.add_function(wrap_pyfunction!(web::cookies, module)?)?;
    module.add_function(wrap_pyfunction!(web::answer_file, module)?)?;
    module.add_function(wrap_pyfunction!(web::content_type_of, module)?)?;
    module.add_function(wrap_pyfunction!(web::relative_path, module)?)?;
    Ok(())
}
