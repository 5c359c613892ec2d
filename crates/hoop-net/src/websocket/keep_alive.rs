//! Asks a silent peer whether it is there, and gives it up if it does not say so.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::WebSocketOptions;

/// What is to be done now.
pub enum Pulse {
    /// Send a ping.
    Ask,
    /// It has not answered one.
    Gone,
}

/// The patience with one peer.
pub struct KeepAlive {
    interval: Duration,
    timeout: Option<Duration>,
    timer: Pin<Box<Sleep>>,
    heard: bool,
    asked: bool,
}

impl KeepAlive {
    /// None if peers may be silent.
    pub fn new(options: &WebSocketOptions) -> Option<Self> {
        let interval = options.ping_interval?;
        Some(Self {
            interval,
            timeout: options.ping_timeout,
            timer: Box::pin(sleep(interval)),
            heard: false,
            asked: false,
        })
    }

    /// Something has come from the peer, whatever it is.
    pub fn heard(&mut self) {
        self.heard = true;
        if std::mem::take(&mut self.asked) {
            self.timer.as_mut().reset(Instant::now() + self.interval);
        }
    }

    /// Ready when something is to be done.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Pulse> {
        loop {
            std::task::ready!(self.timer.as_mut().poll(cx));
            let wait = if std::mem::take(&mut self.heard) {
                self.interval
            } else if self.asked && self.timeout.is_some() {
                return Poll::Ready(Pulse::Gone);
            } else {
                self.asked = true;
                self.timeout.unwrap_or(self.interval)
            };
            self.timer.as_mut().reset(Instant::now() + wait);
            if self.asked {
                return Poll::Ready(Pulse::Ask);
            }
        }
    }
}
