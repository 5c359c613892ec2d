//! The command line: three modes and the few numbers they take.

use std::{str::FromStr, time::Duration};

/// What `--help` and a wrong command line show.
pub const USAGE: &str = "\
usage: plain-hyper --port PORT                 answer GET / (hello), POST /echo and GET /stream
       plain-hyper --port PORT --echo          answer every TCP byte with itself
       plain-hyper --port PORT --echo-load     load a TCP echo server, print JSON, end
            [--connections N]  how many at once (50)
            [--size BYTES]     bytes in a message (1024)
            [--seconds S]      for how long (2)
            [--seed N]         what the message's bytes are drawn from (1)
Everything stays on 127.0.0.1 and on one thread.";

/// What the command line asked for.
#[derive(Debug, PartialEq)]
pub enum Mode {
    Help,
    Http { port: u16 },
    Echo { port: u16 },
    EchoLoad(EchoLoad),
}

/// One bounded run of the echo load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EchoLoad {
    pub port: u16,
    pub connections: usize,
    pub size: usize,
    pub duration: Duration,
    pub seed: u64,
}

/// Reads the arguments behind the program's name; the error is a sentence for the person who typed them.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Mode, String> {
    let mut load =
        EchoLoad { port: 0, connections: 50, size: 1024, duration: Duration::from_secs(2), seed: 1 };
    let (mut wants_echo, mut wants_load) = (false, false);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(Mode::Help),
            "--port" => load.port = number(&argument, &value()?)?,
            "--echo" => wants_echo = true,
            "--echo-load" => wants_load = true,
            "--connections" => load.connections = number(&argument, &value()?)?,
            "--size" => load.size = number(&argument, &value()?)?,
            "--seconds" => {
                load.duration = Duration::try_from_secs_f64(number(&argument, &value()?)?)
                    .map_err(|fault| format!("--seconds: {fault}"))?;
            }
            "--seed" => load.seed = number(&argument, &value()?)?,
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    if load.port == 0 {
        return Err("--port is missing or 0".to_owned());
    }
    match (wants_echo, wants_load) {
        (false, false) => Ok(Mode::Http { port: load.port }),
        (true, false) => Ok(Mode::Echo { port: load.port }),
        (false, true) if load.connections == 0 || load.size == 0 => {
            Err("--connections and --size must be at least 1".to_owned())
        }
        (false, true) => Ok(Mode::EchoLoad(load)),
        (true, true) => Err("--echo and --echo-load exclude each other".to_owned()),
    }
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
        assert_eq!(parsed("--port 80"), Ok(Mode::Http { port: 80 }));
        assert_eq!(parsed("--echo --port 80"), Ok(Mode::Echo { port: 80 }));
        assert_eq!(
            parsed("--port 80 --echo-load --seconds 0.5 --connections 3 --size 9 --seed 4"),
            Ok(Mode::EchoLoad(EchoLoad {
                port: 80,
                connections: 3,
                size: 9,
                duration: Duration::from_millis(500),
                seed: 4,
            }))
        );
    }

    #[test]
    fn faults_name_the_argument() {
        for (line, fault) in [
            ("", "--port is missing or 0"),
            ("--port", "--port needs a value"),
            ("--port 65536", "--port: 65536 is not a number that fits"),
            ("--port 80 --fast", "unknown argument --fast"),
            ("--port 80 --echo --echo-load", "--echo and --echo-load exclude each other"),
            ("--port 80 --echo-load --size 0", "--connections and --size must be at least 1"),
        ] {
            assert_eq!(parsed(line), Err(fault.to_owned()), "{line}");
        }
        assert!(parsed("--port 80 --echo-load --seconds -1").is_err());
    }
}
