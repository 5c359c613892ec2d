//! The Python face of hoopsnake: the only crate that knows pyo3.
//!
//! - `event_loop`: asyncio's loop over a tokio current-thread runtime.
//! - `asgi`: the ASGI application server on that loop.
//! - `web`: what the web framework does before and after a handler.

mod asgi;
mod errors;
mod event_loop;
mod gil_cell;
mod imports;
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
    module.add_function(wrap_pyfunction!(asgi::network_problem, module)?)?;
    module.add_class::<web::Routes>()?;
    module.add_function(wrap_pyfunction!(web::encode_json, module)?)?;
    Ok(())
}
