//! The built program as the bench starts it: servers that answer, and a load that counts.

use std::{
    error::Error,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Output},
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
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Err(fault) = server.connect() {
            if Instant::now() > deadline {
                return Err(fault.into());
            }
            thread::sleep(Duration::from_millis(5));
        }
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

    let missing = server.ask("GET /nowhere HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
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
