//! The command line: its modes, where they listen or connect, and the few numbers they take.

use std::{path::PathBuf, str::FromStr, time::Duration};

use crate::{
    echo_load::EchoLoad,
    endpoint::Endpoint,
    fan_out_load::{Fan, FanOutLoad},
    fetch_load::FetchLoad,
    http::Version,
    idle_load::IdleLoad,
    message::Talk,
    rate_load::RateLoad,
};

/// What `--help` and a wrong command line show.
pub const USAGE: &str = "\
usage: plain-hyper ENDPOINT [--http2]       answer GET / (hello), POST /echo, GET /stream, /bytes/N
                                            and /once, over HTTP/2 from the first byte if asked
       plain-hyper ENDPOINT --echo          answer every byte with itself
       plain-hyper ENDPOINT --echo-load     load an echo server, print JSON, end
            [--connections N]  how many at once (50)
            [--talk WHAT]      echo, http (GET /) or websocket (echo)
            [--size BYTES]     bytes in a message (1024)
            [--seconds S]      for how long (2)
            [--seed N]         what the message's bytes are drawn from (1)
       plain-hyper ENDPOINT --fetch-load    ask an HTTP server, print JSON, end
            [--connections N]  how many requests at once (50)
            [--path PATH]      what is asked for (/)
            [--post BYTES]     of a body; without it, GET (0)
            [--expected BYTES] of each answer (13)
            [--http2] [--seconds S]
       plain-hyper ENDPOINT --idle-load     open connections, echo once on each, print JSON,
                                            and hold them until standard input ends
            [--connections N] [--talk WHAT] [--size BYTES] [--seed N]
       plain-hyper ENDPOINT --rate-load     GET / so often, print JSON, end
            --rate N           requests a second
            [--deadline S]     a request without an answer by then is given up (1)
            [--connections N] [--seconds S]
       plain-hyper ENDPOINT --chat-load     say something over a WebSocket, count until all have
                                            heard it, print JSON, end with standard input
       plain-hyper ENDPOINT --events-load   the same with POST and server-sent events of /events
            [--connections N] [--size BYTES] [--seconds S]
ENDPOINT is one of
            --port PORT                TCP
            --port PORT --tls FOLDER   TLS, with chain.pem and key.pem of that folder
            --port PORT --udp          UDP; no HTTP
            --unix PATH                a Unix socket; no HTTP
Everything stays on 127.0.0.1 and on one thread.";

/// What the command line asked for.
#[derive(Debug, PartialEq)]
pub enum Mode {
    Help,
    Http(Endpoint, Version),
    Echo(Endpoint),
    EchoLoad(EchoLoad),
    FanOutLoad(FanOutLoad),
    FetchLoad(FetchLoad),
    IdleLoad(IdleLoad),
    RateLoad(RateLoad),
}

/// What was said, before it is known to make sense.
struct Said {
    mode: Option<String>,
    port: u16,
    tls: Option<PathBuf>,
    udp: bool,
    unix: Option<PathBuf>,
    version: Version,
    talk: Talk,
    connections: usize,
    size: usize,
    path: String,
    post: usize,
    expected: usize,
    duration: Duration,
    rate: f64,
    deadline: Duration,
    seed: u64,
}

/// Reads the arguments behind the program's name; the error is a sentence for the person who typed them.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Mode, String> {
    let mut said = Said {
        mode: None,
        port: 0,
        tls: None,
        udp: false,
        unix: None,
        version: Version::Http1,
        talk: Talk::Echo,
        connections: 50,
        size: 1024,
        path: "/".to_owned(),
        post: 0,
        expected: 13,
        duration: Duration::from_secs(2),
        rate: 0.0,
        deadline: Duration::from_secs(1),
        seed: 1,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(Mode::Help),
            "--port" => said.port = number(&argument, &value()?)?,
            "--tls" => said.tls = Some(value()?.into()),
            "--udp" => said.udp = true,
            "--unix" => said.unix = Some(value()?.into()),
            "--http2" => said.version = Version::Http2,
            "--talk" => said.talk = talk(&value()?)?,
            "--echo" | "--echo-load" | "--fetch-load" | "--idle-load" | "--rate-load" | "--chat-load"
            | "--events-load" => {
                if let Some(other) = said.mode.replace(argument.clone()) {
                    return Err(format!("{other} and {argument} exclude each other"));
                }
            }
            "--connections" => said.connections = number(&argument, &value()?)?,
            "--path" => said.path = value()?,
            "--post" => said.post = number(&argument, &value()?)?,
            "--expected" => said.expected = number(&argument, &value()?)?,
            "--size" => said.size = number(&argument, &value()?)?,
            "--seconds" => said.duration = seconds(&argument, &value()?)?,
            "--deadline" => said.deadline = seconds(&argument, &value()?)?,
            "--rate" => said.rate = number(&argument, &value()?)?,
            "--seed" => said.seed = number(&argument, &value()?)?,
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    said.into_mode()
}

impl Said {
    fn into_mode(self) -> Result<Mode, String> {
        let Self { talk, connections, size, duration, rate, deadline, seed, version, .. } = self;
        let endpoint = match (self.port, self.tls, self.udp, self.unix) {
            (0, None, false, Some(path)) => Endpoint::Unix { path },
            (_, _, _, Some(_)) => return Err("--unix excludes --port, --tls and --udp".to_owned()),
            (0, ..) => return Err("--port is missing or 0".to_owned()),
            (port, None, false, None) => Endpoint::Tcp { port },
            (port, None, true, None) => Endpoint::Udp { port },
            (port, Some(folder), false, None) => Endpoint::Tls { port, folder },
            (_, Some(_), true, None) => return Err("--tls and --udp exclude each other".to_owned()),
        };
        let mode = self.mode.as_deref();
        if mode.is_some_and(|mode| mode.ends_with("-load")) && (connections == 0 || size == 0) {
            return Err("--connections and --size must be at least 1".to_owned());
        }
        match (mode, endpoint) {
            (Some("--echo"), endpoint) => Ok(Mode::Echo(endpoint)),
            (Some("--echo-load"), endpoint) => {
                Ok(Mode::EchoLoad(EchoLoad { endpoint, talk, connections, size, duration, seed }))
            }
            (Some("--fetch-load"), endpoint) => {
                let (path, post, expected) = (self.path, self.post, self.expected);
                Ok(Mode::FetchLoad(FetchLoad {
                    endpoint,
                    version,
                    connections,
                    path,
                    post,
                    expected,
                    duration,
                }))
            }
            (Some("--chat-load" | "--events-load"), endpoint) => {
                let fan = if mode == Some("--chat-load") { Fan::Chat } else { Fan::Events };
                Ok(Mode::FanOutLoad(FanOutLoad { endpoint, fan, connections, size, duration }))
            }
            (Some("--rate-load"), endpoint) if rate > 0.0 && rate.is_finite() => {
                Ok(Mode::RateLoad(RateLoad { endpoint, rate, connections, duration, deadline }))
            }
            (Some("--rate-load"), _) => Err("--rate must be above 0".to_owned()),
            (Some(_), endpoint) => Ok(Mode::IdleLoad(IdleLoad { endpoint, talk, connections, size, seed })),
            (None, endpoint @ (Endpoint::Tcp { .. } | Endpoint::Tls { .. })) => {
                Ok(Mode::Http(endpoint, version))
            }
            (None, _) => Err("HTTP is spoken over TCP alone".to_owned()),
        }
    }
}

fn talk(name: &str) -> Result<Talk, String> {
    match name {
        "echo" => Ok(Talk::Echo),
        "http" => Ok(Talk::Http),
        "websocket" => Ok(Talk::WebSocket),
        _ => Err(format!("--talk: {name} is not echo, http or websocket")),
    }
}

fn seconds(name: &str, text: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(name, text)?).map_err(|fault| format!("{name}: {fault}"))
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name}: {text} is not a number that fits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Mode, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn each_mode_is_read() {
        assert_eq!(parsed("--port 80"), Ok(Mode::Http(Endpoint::Tcp { port: 80 }, Version::Http1)));
        assert_eq!(parsed("--echo --port 80"), Ok(Mode::Echo(Endpoint::Tcp { port: 80 })));
        assert_eq!(
            parsed("--port 80 --echo-load --seconds 0.5 --connections 3 --size 9 --seed 4"),
            Ok(Mode::EchoLoad(EchoLoad {
                endpoint: Endpoint::Tcp { port: 80 },
                talk: Talk::Echo,
                connections: 3,
                size: 9,
                duration: Duration::from_millis(500),
                seed: 4,
            }))
        );
        assert_eq!(
            parsed("--port 80 --rate-load --rate 100.5 --deadline 0.25"),
            Ok(Mode::RateLoad(RateLoad {
                endpoint: Endpoint::Tcp { port: 80 },
                rate: 100.5,
                connections: 50,
                duration: Duration::from_secs(2),
                deadline: Duration::from_millis(250),
            }))
        );
        assert_eq!(
            parsed("--port 80 --fetch-load --http2 --path /bytes/9 --post 5 --expected 9"),
            Ok(Mode::FetchLoad(FetchLoad {
                endpoint: Endpoint::Tcp { port: 80 },
                version: Version::Http2,
                connections: 50,
                path: "/bytes/9".to_owned(),
                post: 5,
                expected: 9,
                duration: Duration::from_secs(2),
            }))
        );
        assert_eq!(
            parsed("--port 80 --events-load --connections 9 --size 7"),
            Ok(Mode::FanOutLoad(FanOutLoad {
                endpoint: Endpoint::Tcp { port: 80 },
                fan: Fan::Events,
                connections: 9,
                size: 7,
                duration: Duration::from_secs(2),
            }))
        );
        assert_eq!(parsed("--port 80 --http2"), Ok(Mode::Http(Endpoint::Tcp { port: 80 }, Version::Http2)));
        assert_eq!(
            parsed("--port 80 --idle-load --connections 7 --talk websocket"),
            Ok(Mode::IdleLoad(IdleLoad {
                endpoint: Endpoint::Tcp { port: 80 },
                talk: Talk::WebSocket,
                connections: 7,
                size: 1024,
                seed: 1,
            }))
        );
    }

    #[test]
    fn each_endpoint_is_read() {
        assert_eq!(parsed("--echo --port 80 --udp"), Ok(Mode::Echo(Endpoint::Udp { port: 80 })));
        assert_eq!(parsed("--echo --unix a/b"), Ok(Mode::Echo(Endpoint::Unix { path: "a/b".into() })));
        assert_eq!(
            parsed("--echo --tls c --port 81"),
            Ok(Mode::Echo(Endpoint::Tls { port: 81, folder: "c".into() }))
        );
    }

    #[test]
    fn faults_name_the_argument() {
        for (line, fault) in [
            ("", "--port is missing or 0"),
            ("--echo --tls folder", "--port is missing or 0"),
            ("--port", "--port needs a value"),
            ("--port 65536", "--port: 65536 is not a number that fits"),
            ("--port 80 --fast", "unknown argument --fast"),
            ("--port 80 --unix path --echo", "--unix excludes --port, --tls and --udp"),
            ("--tls folder --unix path --echo", "--unix excludes --port, --tls and --udp"),
            ("--udp --unix path --echo", "--unix excludes --port, --tls and --udp"),
            ("--port 80 --tls folder --udp --echo", "--tls and --udp exclude each other"),
            ("--udp --echo", "--port is missing or 0"),
            ("--unix path", "HTTP is spoken over TCP alone"),
            ("--port 80 --udp", "HTTP is spoken over TCP alone"),
            ("--port 80 --echo --echo-load", "--echo and --echo-load exclude each other"),
            ("--port 80 --rate-load", "--rate must be above 0"),
            ("--port 80 --echo-load --talk slowly", "--talk: slowly is not echo, http or websocket"),
            ("--port 80 --echo-load --size 0", "--connections and --size must be at least 1"),
            ("--port 80 --idle-load --connections 0", "--connections and --size must be at least 1"),
        ] {
            assert_eq!(parsed(line), Err(fault.to_owned()), "{line}");
        }
        assert!(parsed("--port 80 --echo-load --seconds -1").is_err());
    }
}
