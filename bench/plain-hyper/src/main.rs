//! The bench's limit: what one thread of hyper or tokio costs when no Python runs, and the loads of the bench.

mod arguments;
mod datagrams;
mod echo;
mod echo_load;
mod endpoint;
mod fan_out_load;
mod fetch_load;
mod http;
mod idle_load;
mod latencies;
mod message;
mod rate_load;

use std::{io, process::ExitCode};

use arguments::{Mode, USAGE};
use tokio::runtime;

fn main() -> ExitCode {
    let mode = match arguments::parse(std::env::args().skip(1)) {
        Ok(mode) => mode,
        Err(fault) => {
            eprintln!("plain-hyper: {fault}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("plain-hyper: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(mode: Mode) -> io::Result<()> {
    // One thread and tasks that never move: the shape hoopsnake has, so that the limit is a fair one.
    let runtime = runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
    runtime.block_on(async {
        match mode {
            Mode::Help => {
                println!("{USAGE}");
                Ok(())
            }
            Mode::Http(endpoint, version) => {
                http::serve(endpoint::Listener::bind(&endpoint, version).await?, version).await
            }
            Mode::Echo(endpoint::Endpoint::Udp { port }) => datagrams::serve(port).await,
            Mode::Echo(endpoint) => echo::serve(&endpoint).await,
            Mode::EchoLoad(load) => {
                println!("{}", echo_load::run(load).await?);
                Ok(())
            }
            Mode::FetchLoad(load) => {
                println!("{}", fetch_load::run(load).await?);
                Ok(())
            }
            Mode::FanOutLoad(load) => fan_out_load::run(load).await,
            Mode::IdleLoad(load) => idle_load::run(load).await,
            Mode::RateLoad(load) => {
                println!("{}", rate_load::run(load).await?);
                Ok(())
            }
        }
    })
}
