//! SOCKS 5, the client's side: RFC 1928, and the login of RFC 1929. A state machine: it says how many bytes it
//! has to have next, and what is to be sent.

use core::net::IpAddr;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const LOGIN: u8 = 2;
const CONNECT: u8 = 1;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Method,
    Login,
    /// The reply as far as the first byte of its address, which says how long the rest is.
    Reply,
    Address(usize),
    Done,
}

/// A connection that is asked for.
pub struct Socks5 {
    state: State,
    request: Vec<u8>,
    login: Option<Vec<u8>>,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocksFault {
    /// What was to be sent does not fit.
    #[error("the {0} is too long for SOCKS: 255 bytes is the most")]
    TooLong(&'static str),
    /// It is another protocol, or another version of it.
    #[error("its answer is not SOCKS 5")]
    NoSocks,
    /// It takes no way to log in that we have.
    #[error("it wants a login, and there is none for it")]
    WantsLogin,
    /// It knows no way to log in that we have.
    #[error("it wants another way to log in than a name and a password")]
    WantsOther,
    /// The login is wrong.
    #[error("it refuses the name and password")]
    WrongLogin,
    /// It cannot connect, or will not.
    #[error("{0}")]
    Refused(&'static str),
}

impl Socks5 {
    /// Asks for a connection; and the first bytes to send. A name is resolved by the proxy.
    pub fn begin(host: &str, port: u16, login: Option<(&str, &str)>) -> Result<(Self, Vec<u8>), SocksFault> {
        let mut request = vec![VERSION, CONNECT, 0];
        match host.parse() {
            Ok(IpAddr::V4(address)) => {
                request.push(1);
                request.extend_from_slice(&address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(4);
                request.extend_from_slice(&address.octets());
            }
            Err(_) => {
                request.push(3);
                push_text(&mut request, host, "host")?;
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        let login = match login {
            Some((name, password)) => {
                let mut message = vec![1];
                push_text(&mut message, name, "name")?;
                push_text(&mut message, password, "password")?;
                Some(message)
            }
            None => None,
        };
        let greeting =
            if login.is_some() { vec![VERSION, 2, NO_LOGIN, LOGIN] } else { vec![VERSION, 1, NO_LOGIN] };
        Ok((Self { state: State::Method, request, login }, greeting))
    }

    /// How many bytes have to come next; 0 once the connection is there.
    pub fn needs(&self) -> usize {
        match self.state {
            State::Method | State::Login => 2,
            State::Reply => 5,
            State::Address(rest) => rest,
            State::Done => 0,
        }
    }

    /// Takes just these bytes, and says what to send; that may be nothing.
    pub fn take(&mut self, bytes: &[u8]) -> Result<&[u8], SocksFault> {
        match (self.state, bytes) {
            (State::Method, [VERSION, NO_LOGIN]) => {
                self.state = State::Reply;
                Ok(&self.request)
            }
            (State::Method, [VERSION, method]) => match &self.login {
                Some(login) if *method == LOGIN => {
                    self.state = State::Login;
                    Ok(login)
                }
                None if matches!(*method, LOGIN | 0xff) => Err(SocksFault::WantsLogin),
                _ => Err(SocksFault::WantsOther),
            },
            // RFC 1929 says version 1 here; some proxies say 5.
            (State::Login, [_, 0]) => {
                self.state = State::Reply;
                Ok(&self.request)
            }
            (State::Login, [_, _]) => Err(SocksFault::WrongLogin),
            (State::Reply, [VERSION, 0, _, kind, first]) => {
                // One byte of the address is here already, and two of the port follow.
                self.state = State::Address(match kind {
                    1 => 4 - 1 + 2,
                    3 => usize::from(*first) + 2,
                    4 => 16 - 1 + 2,
                    _ => return Err(SocksFault::NoSocks),
                });
                Ok(&[])
            }
            (State::Reply, [VERSION, code, ..]) => Err(SocksFault::Refused(refusal(*code))),
            (State::Address(_), _) => {
                self.state = State::Done;
                Ok(&[])
            }
            _ => Err(SocksFault::NoSocks),
        }
    }
}

fn push_text(message: &mut Vec<u8>, text: &str, what: &'static str) -> Result<(), SocksFault> {
    message.push(u8::try_from(text.len()).map_err(|_| SocksFault::TooLong(what))?);
    message.extend_from_slice(text.as_bytes());
    Ok(())
}

/// RFC 1928 section 6.
fn refusal(code: u8) -> &'static str {
    match code {
        1 => "it has failed",
        2 => "its rules do not allow this connection",
        3 => "the network cannot be reached from there",
        4 => "the host cannot be reached from there",
        5 => "nobody listens there: connection refused",
        6 => "the connection took too long",
        7 => "it does not make connections",
        8 => "it does not know this kind of address",
        _ => "it refuses, with a code that means nothing",
    }
}
