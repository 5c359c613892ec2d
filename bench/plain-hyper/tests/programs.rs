//! The built program as the bench starts it: servers that answer, and a load that counts.

use std::{
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

type Outcome = Result<(), Box<dyn Error>>;

const PROGRAM: &str = env!("CARGO_BIN_EXE_plain-hyper");

/// A server on a free port, ended with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(mode: &[&str]) -> Result<Self, Box<dyn Error>> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = Command::new(PROGRAM).args(["--port", &port.to_string()]).args(mode).spawn()?;
        let server = Self { child, port };
        wait_until(|| server.connect().map(drop))?;
        Ok(server)
    }

    fn start_unix(path: &Path) -> Result<Self, Box<dyn Error>> {
        let child = Command::new(PROGRAM).arg("--unix").arg(path).arg("--echo").spawn()?;
        let server = Self { child, port: 0 };
        wait_until(|| UnixStream::connect(path).map(drop))?;
        Ok(server)
    }

    fn start_udp() -> Result<Self, Box<dyn Error>> {
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let arguments = ["--port", &port.to_string(), "--udp", "--echo"];
        let server = Self { child: Command::new(PROGRAM).args(arguments).spawn()?, port };
        wait_until(|| {
            let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            client.set_read_timeout(Some(Duration::from_secs(1)))?;
            client.connect((Ipv4Addr::LOCALHOST, port))?;
            client.send(b"up?")?;
            client.recv(&mut [0; 8]).map(drop)
        })?;
        Ok(server)
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
    }

    fn ask(&self, request: &str) -> Result<String, Box<dyn Error>> {
        let mut connection = self.connect()?;
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for a server that has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tries until it succeeds, for ten seconds.
fn wait_until(attempt: impl Fn() -> std::io::Result<()>) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(fault) = attempt() {
        if Instant::now() > deadline {
            return Err(fault.into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A socket's path that goes with the test.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("plain-hyper-{}-{name}", std::process::id())))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn load(port: u16) -> std::io::Result<Output> {
    let load = ["--echo-load", "--connections", "3", "--seconds", "0.2"];
    Command::new(PROGRAM).args(["--port", &port.to_string()]).args(load).output()
}

#[test]
fn the_http_server_has_an_answer_for_each_workload() -> Outcome {
    let server = Server::start(&[])?;
    let hello = server.ask("GET / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    assert!(hello.starts_with("HTTP/1.1 200 OK\r\n") && hello.ends_with("\r\n\r\nHello, World!"), "{hello}");

    let echo = server
        .ask("POST /echo HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: 4\r\n\r\necho")?;
    assert!(echo.starts_with("HTTP/1.1 200 OK\r\n") && echo.ends_with("\r\n\r\necho"), "{echo}");

    let stream = server.ask("GET /stream HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    assert_eq!(stream.matches("400\r\nx").count(), 16, "{stream}");

    let block = server.ask("GET /bytes/5 HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    assert!(block.ends_with("\r\n\r\nxxxxx"), "{block}");

    let once = server.ask("GET /once HTTP/1.1\r\nhost: bench\r\n\r\n")?;
    assert!(once.contains("\r\nconnection: close\r\n"), "it ends by itself: {once}");

    let missing = server.ask("GET /nowhere HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    Ok(())
}

fn fetch_load(port: u16, more: &[&str]) -> std::io::Result<Output> {
    let load = ["--fetch-load", "--connections", "3", "--seconds", "0.2"];
    Command::new(PROGRAM).args(["--port", &port.to_string()]).args(load).args(more).output()
}

#[test]
fn the_client_counts_what_the_server_answers() -> Outcome {
    for (server, asked) in [
        (&[][..], &[][..]),
        (&[], &["--path", "/echo", "--post", "70000", "--expected", "70000"]),
        (&[], &["--path", "/once"]),
        (&["--http2"], &["--http2", "--path", "/bytes/9", "--expected", "9"]),
    ] {
        let output = fetch_load(Server::start(server)?.port, asked)?;
        let printed = String::from_utf8(output.stdout)?;
        assert!(output.status.success(), "{asked:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(printed.starts_with("{\"per_second\": ") && !printed.contains(": 0.0,"), "{printed}");
    }
    Ok(())
}

#[test]
fn the_client_fails_on_an_answer_of_another_length() -> Outcome {
    let output = fetch_load(Server::start(&[])?.port, &["--expected", "14"])?;
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr)?.contains("13 bytes came, not 14"));
    Ok(())
}

#[test]
fn the_load_counts_what_the_echo_answers() -> Outcome {
    let server = Server::start(&["--echo"])?;
    let output = load(server.port)?;
    let printed = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{printed}");
    assert!(printed.starts_with("{\"messages\": ") && !printed.contains("\"messages\": 0,"), "{printed}");
    Ok(())
}

#[test]
fn the_load_fails_on_a_server_that_is_no_echo() -> Outcome {
    let server = Server::start(&[])?;
    let output = load(server.port)?;
    let printed = String::from_utf8(output.stderr)?;
    assert!(!output.status.success());
    // hyper answers the noise with a 400, or closes before the whole answer is read.
    assert!(printed.starts_with("plain-hyper: "), "{printed}");
    Ok(())
}

#[test]
fn a_unix_socket_is_echoed_and_loaded_like_a_port() -> Outcome {
    let path = SocketPath::new("echo");
    let _server = Server::start_unix(&path.0)?;
    let load = ["--echo-load", "--connections", "3", "--seconds", "0.2", "--size", "100000"];
    let output = Command::new(PROGRAM).arg("--unix").arg(&path.0).args(load).output()?;
    let printed = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.starts_with("{\"messages\": ") && !printed.contains("\"messages\": 0,"), "{printed}");
    Ok(())
}

#[test]
fn datagrams_are_echoed_and_loaded_like_a_port() -> Outcome {
    let server = Server::start_udp()?;
    let load = ["--udp", "--echo-load", "--connections", "3", "--seconds", "0.2"];
    let output = Command::new(PROGRAM).args(["--port", &server.port.to_string()]).args(load).output()?;
    let printed = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.starts_with("{\"messages\": ") && !printed.contains("\"messages\": 0,"), "{printed}");
    Ok(())
}

#[test]
fn the_load_fails_on_a_datagram_that_was_changed() -> Outcome {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    server.set_read_timeout(Some(Duration::from_secs(10)))?;
    let port = server.local_addr()?.port();
    let liar = thread::spawn(move || {
        let mut buffer = [0; 2048];
        let (length, sender) = server.recv_from(&mut buffer)?;
        buffer[length - 1] ^= 1;
        server.send_to(&buffer[..length], sender)
    });
    let load = ["--udp", "--echo-load", "--connections", "1", "--seconds", "0.2"];
    let output = Command::new(PROGRAM).args(["--port", &port.to_string()]).args(load).output()?;
    let printed = String::from_utf8(output.stderr)?;
    liar.join().map_err(|_| "the server panicked")??;
    assert!(!output.status.success());
    assert_eq!(printed, "plain-hyper: the server echoed other bytes than were sent\n");
    Ok(())
}

#[test]
fn idle_connections_are_held_until_standard_input_ends() -> Outcome {
    let server = Server::start(&["--echo"])?;
    let mut load = Command::new(PROGRAM)
        .args(["--port", &server.port.to_string(), "--idle-load", "--connections", "20"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(load.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    assert!(line.starts_with("{\"connections\": 20, "), "{line}");
    // The connection by which the server was found to listen may be on its way out yet.
    wait_until(|| match established(server.port)? {
        20 => Ok(()),
        other => Err(std::io::Error::other(format!("{other} connections are open"))),
    })?;
    drop(load.stdin.take());
    assert!(load.wait()?.success());
    Ok(())
}

/// How many connections the kernel counts whose local port is this one.
fn established(port: u16) -> std::io::Result<usize> {
    let local = format!("0100007F:{port:04X}");
    let lines = std::fs::read_to_string("/proc/net/tcp")?;
    Ok(lines
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(1) == Some(&local.as_str()) && fields.get(3) == Some(&"01"))
        .count())
}

/// Sends two who listen, and the one who posts behind them, what `event` makes of a post.
fn tell_all(server: &TcpListener, event: &str) -> std::io::Result<()> {
    let mut listeners = Vec::new();
    for _ in 0..2 {
        let mut listener = server.accept()?.0;
        let _request = listener.read(&mut [0; 1024])?;
        listener.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: hi\n\n\r\n")?;
        listeners.push(listener);
    }
    let mut speaker = server.accept()?.0;
    while speaker.read(&mut [0; 1024])? > 0 {
        for listener in &mut listeners {
            listener.write_all(b": ping\n\n")?;
            listener.write_all(event.as_bytes())?;
        }
        speaker.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
    Ok(())
}

fn events_load(event: &'static str) -> Result<Output, Box<dyn Error>> {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = server.local_addr()?.port().to_string();
    let teller = thread::spawn(move || tell_all(&server, event));
    let load = ["--events-load", "--connections", "2", "--seconds", "0.2", "--size", "3"];
    let output = Command::new(PROGRAM).args(["--port", &port]).args(load).output()?;
    // It fails where the load has ended in the middle of something.
    let _ = teller.join().map_err(|_| "the server panicked")?;
    Ok(output)
}

#[test]
fn the_fan_out_load_counts_deliveries() -> Outcome {
    let output = events_load("data: mmm\n\n")?;
    let printed = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counted = printed.strip_prefix("{\"connections\": 2}\n").ok_or("connecting is not told")?;
    assert!(counted.starts_with("{\"messages\": ") && !counted.contains("\"messages\": 0,"), "{printed}");
    Ok(())
}

#[test]
fn the_fan_out_load_fails_on_another_event() -> Outcome {
    let output = events_load("data: nnn\n\n")?;
    let printed = String::from_utf8(output.stderr)?;
    assert_eq!(printed, "plain-hyper: the server sent something else than was said\n");
    Ok(())
}
