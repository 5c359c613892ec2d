//! A tunnel through an HTTP proxy: what CONNECT asks, and what the answer says (RFC 9110 section 9.3.6).

/// The longest head of an answer.
const LONGEST_HEAD: usize = 32 * 1024;
/// So much of what a proxy says is shown.
const LONGEST_REASON: usize = 100;

/// What a proxy has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelAnswer {
    /// Its status.
    pub status: u16,
    /// What it calls that, as far as it can be shown.
    pub reason: String,
}

/// An answer that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TunnelFault {
    /// It is not HTTP/1.
    #[error("its answer is not HTTP")]
    NoHttp,
    /// It does not end.
    #[error("the head of its answer is longer than {LONGEST_HEAD} bytes")]
    TooLong,
    /// It has sent something before it was spoken to through the tunnel.
    #[error("it has sent {0} bytes after its answer that nobody asked for")]
    Surplus(usize),
}

/// The request for a tunnel to a host and port. The fields are sent as they are: names and values that can
/// stand in a header.
pub fn connect_request(host: &str, port: u16, fields: &[(&str, &[u8])]) -> Vec<u8> {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    for (name, value) in fields {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

impl TunnelAnswer {
    /// Reads what has come so far; `None` if there has to be more.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, TunnelFault> {
        let known = bytes.get(..5).unwrap_or(bytes);
        if !b"HTTP/".starts_with(known) {
            return Err(TunnelFault::NoHttp);
        }
        let ends = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = ends else {
            let is_long = bytes.len() > LONGEST_HEAD;
            return if is_long { Err(TunnelFault::TooLong) } else { Ok(None) };
        };
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let version = words.next().unwrap_or_default();
        if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
            return Err(TunnelFault::NoHttp);
        }
        let status = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
        let status: u16 = status.filter(|status| (100..=999).contains(status)).ok_or(TunnelFault::NoHttp)?;
        let reason = String::from_utf8_lossy(words.next().unwrap_or_default());
        let reason =
            reason.chars().filter(|character| !character.is_control()).take(LONGEST_REASON).collect();
        let surplus = bytes.len() - end - 4;
        if (200..300).contains(&status) && surplus > 0 {
            // In a tunnel the server waits for us: these bytes would be taken for its own.
            return Err(TunnelFault::Surplus(surplus));
        }
        Ok(Some(Self { status, reason }))
    }
}
