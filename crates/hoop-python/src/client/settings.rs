//! A client's settings as Python gives them: one object, read by its attributes' names.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use hoop_net::client::{Authorities, ClientOptions, PoolLimits, Protocols, Timeouts, Trust, TrustOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use super::failure::named;
use super::proxies::ProxySettings;

/// Limits of time in seconds: connect, tls, pool, read, write, total.
pub type TimeoutTuple = (Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>);

/// `hoopsnake._client._settings.Settings`.
#[derive(FromPyObject)]
pub struct Settings {
    pub base_url: Option<String>,
    pub timeouts: TimeoutTuple,
    pub max_content: u64,
    http1: bool,
    http2: bool,
    trust: TrustSettings,
    cert: Option<(PathBuf, PathBuf)>,
    unix_socket: Option<PathBuf>,
    pub proxies: ProxySettings,
    dns_cache: f64,
    max_connections: usize,
    max_connections_per_host: usize,
    max_idle_connections: usize,
    idle_timeout: f64,
    max_streams: usize,
    pub heeds_deadlines: bool,
}

/// `hoopsnake._client._tls.Trust`.
#[derive(FromPyObject)]
struct TrustSettings {
    verify: bool,
    ca_file: Option<PathBuf>,
    authorities: Option<Vec<PyBackedBytes>>,
    any_name: bool,
    without_tls12: bool,
    without_tls13: bool,
}

impl TrustSettings {
    fn authorities(&self) -> Authorities {
        match (self.verify, &self.ca_file, &self.authorities) {
            (false, ..) => Authorities::Anybody,
            (_, Some(path), _) => Authorities::File(path.clone()),
            (_, _, Some(given)) => {
                Authorities::These(given.iter().map(|bytes| bytes.to_vec().into()).collect())
            }
            _ => Authorities::System,
        }
    }
}

impl Settings {
    /// What an engine is made of. `Err` if files of TLS cannot be used.
    pub fn options(&self, py: Python<'_>) -> PyResult<ClientOptions> {
        let offered: &[&[u8]] = match (self.http1, self.http2) {
            (true, true) => &[b"h2", b"http/1.1"],
            (false, _) => &[b"h2"],
            (true, false) => &[b"http/1.1"],
        };
        let options = TrustOptions {
            authorities: self.trust.authorities(),
            identity: self.cert.clone(),
            takes_any_name: self.trust.any_name,
            without_tls12: self.trust.without_tls12,
            without_tls13: self.trust.without_tls13,
        };
        let trust =
            Trust::new(&options, offered).map_err(|error| named(py, "ConnectError", error.to_string()))?;
        Ok(ClientOptions {
            trust: Rc::new(trust),
            protocols: Protocols { http1: self.http1, http2: self.http2 },
            pool: PoolLimits {
                total: self.max_connections,
                per_origin: self.max_connections_per_host,
                idle: self.max_idle_connections,
                idle_for: duration(self.idle_timeout)?,
                streams: self.max_streams,
            },
            unix_socket: self.unix_socket.clone(),
            names_for: duration(self.dns_cache)?,
        })
    }
}

pub fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{seconds} is no time that one could wait")))
}

/// The engine's limits of time.
pub fn timeouts((connect, tls, pool, read, write, total): TimeoutTuple) -> PyResult<Timeouts> {
    Ok(Timeouts {
        pool: pool.map(duration).transpose()?,
        connect: connect.map(duration).transpose()?,
        tls: tls.map(duration).transpose()?,
        write: write.map(duration).transpose()?,
        read: read.map(duration).transpose()?,
        total: total.map(duration).transpose()?,
    })
}
