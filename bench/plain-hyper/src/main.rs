//! The bench's limit: what one thread of hyper or tokio costs when no Python runs, and the load of the echo rows.

mod arguments;
mod echo;
mod echo_load;
mod http;

use std::{io, net::Ipv4Addr, process::ExitCode};

use arguments::{Mode, USAGE};
use tokio::{net::TcpListener, runtime};

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
            Mode::Http { port } => http::serve(listen(port).await?).await,
            Mode::Echo { port } => echo::serve(listen(port).await?).await,
            Mode::EchoLoad(load) => {
                println!("{}", echo_load::run(load).await?);
                Ok(())
            }
        }
    })
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|fault| {
        io::Error::new(fault.kind(), format!("cannot listen on 127.0.0.1:{port}: {fault}"))
    })?;
    Ok(listener)
}
