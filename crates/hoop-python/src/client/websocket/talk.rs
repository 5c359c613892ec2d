//! An open WebSocket: its messages, and the task that carries frames while nobody looks.
//!
//! The task reads ahead of the program within bounds, answers pings, sends those of the keep-alive, and ends
//! the connection. What the program sends goes out in the call itself, by the task's own waker: then the task
//! is woken for what the system did not take.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hoop_net::client::ClientStream;
use hoop_net::{Ender, Message, WebSocket};
use pyo3::prelude::*;
use tokio::time::{Sleep, sleep};

use crate::event_loop::LoopCore;
use crate::event_loop::promise::Waiters;
use crate::gil_cell::GilCell;

/// So many bytes or messages may wait for the program before the connection is not read on.
const RECEIVE_AHEAD: usize = 64 * 1024;
const MESSAGES_AHEAD: usize = 64;
/// How long the program may take to answer what came right before the server's close frame.
const LAST_ANSWERS: Duration = Duration::from_millis(250);
/// Code of RFC 6455 section 7.4.1 for an end without a close frame.
const ABNORMAL: u16 = 1006;

/// How a WebSocket ended.
#[derive(Debug, Clone)]
pub struct End {
    pub code: u16,
    pub reason: String,
    /// "server", "client" or "network".
    pub closed_by: &'static str,
}

#[derive(Default)]
struct Progress {
    /// Gone with the connection.
    socket: Option<WebSocket<ClientStream>>,
    incoming: VecDeque<Message>,
    incoming_bytes: usize,
    /// The connection is not read on until the program has caught up.
    held_up: bool,
    /// The program has taken all there was, and waits for more.
    is_waiting: bool,
    /// The server's end of it is kept back until then, or until this is over.
    end_is_held: bool,
    last_answers: Option<Pin<Box<Sleep>>>,
    /// The program has closed it.
    is_closing: bool,
    /// Nobody has it any more.
    is_forgotten: bool,
    deadline: Option<Pin<Box<Sleep>>>,
    end: Option<End>,
    /// The task, once it has begun.
    carrier: Option<Waker>,
    /// The last ping of the program's, and the last that was answered.
    asked: u32,
    answered: u32,
}

impl Progress {
    fn may_take_more(&self) -> bool {
        self.is_closing || (self.incoming_bytes < RECEIVE_AHEAD && self.incoming.len() < MESSAGES_AHEAD)
    }

    /// Calls for the socket with the task's waker, as the task itself would.
    fn with_socket<T>(
        &mut self,
        act: impl FnOnce(&mut WebSocket<ClientStream>, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let waker = self.carrier.clone();
        // A task that has not begun will look at all of it.
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        self.socket.as_mut().map(|socket| act(socket, &mut cx))
    }

    fn took(&mut self, message: Message) {
        // Who has closed does not want it any more.
        if !self.is_closing {
            self.is_waiting = false;
            self.incoming_bytes += size(&message);
            self.incoming.push_back(message);
        }
    }

    /// Has the socket tell how the server has ended it, once nothing is left to answer.
    fn look_for_end(&mut self, socket: &mut WebSocket<ClientStream>, cx: &mut Context<'_>) {
        if self.is_waiting || self.is_closing {
            socket.caught_up();
        } else if socket.holds_end() {
            let last = self.last_answers.get_or_insert_with(|| Box::pin(sleep(LAST_ANSWERS)));
            if last.as_mut().poll(cx).is_ready() {
                socket.caught_up();
            }
        }
    }

    fn ended(&mut self, code: u16, reason: String, ender: Option<Ender>) {
        let closed_by = match ender {
            Some(Ender::Peer) if !self.is_closing => "server",
            Some(Ender::Peer | Ender::Violation) => "client",
            _ => "network",
        };
        let reason = match ender {
            Some(Ender::Connection) => "the connection ended without a close frame".to_owned(),
            None => "the server did not answer the close frame".to_owned(),
            _ => reason,
        };
        self.end.get_or_insert(End { code, reason, closed_by });
    }
}

/// What the task has found out.
#[derive(Default)]
struct News {
    messages: bool,
    room: bool,
    pong: bool,
    over: bool,
}

/// A WebSocket from its handshake to its end.
pub struct Talk {
    progress: GilCell<Progress>,
    close_timeout: Duration,
    pub python_loop: Py<LoopCore>,
    /// They wait for messages, for room to send, for pongs, and for the end.
    pub receivers: Waiters,
    pub senders: Waiters,
    pub askers: Waiters,
    pub closers: Waiters,
}

impl Talk {
    /// Has a task carry it.
    pub fn begin(
        py: Python<'_>,
        python_loop: Py<LoopCore>,
        socket: WebSocket<ClientStream>,
        close_timeout: Duration,
    ) -> Arc<Self> {
        let progress = Progress { socket: Some(socket), ..Progress::default() };
        let state = python_loop.get().state.clone();
        let talk = Arc::new(Self {
            progress: GilCell::new(progress),
            close_timeout,
            python_loop,
            receivers: Waiters::default(),
            senders: Waiters::default(),
            askers: Waiters::default(),
            closers: Waiters::default(),
        });
        let carried = talk.clone();
        state.spawn(py, async move {
            poll_fn(|cx| Python::attach(|py| carried.carry(py, cx))).await;
        });
        talk
    }

    /// The next message, if it is there; the error is how it ended.
    pub fn take(&self, py: Python<'_>) -> Result<Option<Message>, End> {
        let (message, carrier) = {
            let mut progress = self.progress.borrow_mut(py);
            let message = progress.incoming.pop_front();
            let goes_on = match &message {
                Some(message) => {
                    progress.incoming_bytes -= size(message);
                    let resumes = progress.held_up && progress.may_take_more();
                    progress.held_up &= !resumes;
                    resumes
                }
                None if progress.end.is_some() => return progress.end.clone().map_or(Ok(None), Err),
                None => {
                    progress.is_waiting = true;
                    progress.end_is_held
                }
            };
            (message, progress.carrier.clone().filter(|_| goes_on))
        };
        if let Some(carrier) = carrier {
            carrier.wake();
        }
        Ok(message)
    }

    /// Sends a message as far as the system takes it; false if too much waits already, and it was not
    /// taken. The error is how the WebSocket ended.
    pub fn send(&self, py: Python<'_>, is_text: bool, payload: &[u8]) -> Result<bool, End> {
        let mut progress = self.progress.borrow_mut(py);
        self.writable(&progress)?;
        let sent = progress.with_socket(|socket, cx| {
            let is_taken = socket.queue_bytes(cx, is_text, payload);
            (is_taken, is_taken && socket.poll_flush(cx).is_pending())
        });
        let Some((is_taken, _)) = sent else { return Ok(true) };
        Ok(is_taken)
    }

    /// Sends a ping; its number.
    pub fn ping(&self, py: Python<'_>) -> Result<u32, End> {
        let mut progress = self.progress.borrow_mut(py);
        self.writable(&progress)?;
        progress.asked = progress.asked.wrapping_add(1);
        let number = progress.asked;
        let _ = progress.with_socket(|socket, cx| {
            socket.ping(&number.to_be_bytes());
            socket.poll_flush(cx)
        });
        Ok(number)
    }

    /// Whether that ping was answered; the error is how the WebSocket ended before.
    pub fn is_answered(&self, py: Python<'_>, number: u32) -> Result<bool, End> {
        let progress = self.progress.borrow(py);
        // A pong answers all pings before it as well (RFC 6455 section 5.5.3).
        if progress.answered.wrapping_sub(number) <= u32::MAX / 2 {
            return Ok(true);
        }
        progress.end.clone().map_or(Ok(false), Err)
    }

    fn writable(&self, progress: &Progress) -> Result<(), End> {
        if let Some(end) = &progress.end {
            return Err(end.clone());
        }
        if progress.is_closing {
            let reason = "it is being closed".to_owned();
            return Err(End { code: ABNORMAL, reason, closed_by: "client" });
        }
        Ok(())
    }

    /// Sends a close frame, unless it has ended or was closed before.
    pub fn close(&self, py: Python<'_>, code: u16, reason: &str) {
        let carrier = {
            let mut progress = self.progress.borrow_mut(py);
            if progress.end.is_some() || std::mem::replace(&mut progress.is_closing, true) {
                return;
            }
            let _ = progress.with_socket(|socket, cx| {
                socket.close(code, reason);
                socket.poll_flush(cx)
            });
            progress.carrier.clone()
        };
        // From now on there is a deadline, and nothing holds the reading up.
        if let Some(carrier) = carrier {
            carrier.wake();
        }
    }

    /// Nobody has it any more: the connection ends as it is.
    pub fn forget(&self, py: Python<'_>) {
        let carrier = {
            let mut progress = self.progress.borrow_mut(py);
            progress.is_forgotten = true;
            progress.carrier.clone()
        };
        if let Some(carrier) = carrier {
            carrier.wake();
        }
    }

    /// How it ended, once it has.
    pub fn end(&self, py: Python<'_>) -> Option<End> {
        self.progress.borrow(py).end.clone()
    }

    /// Whether the connection is gone.
    pub fn is_over(&self, py: Python<'_>) -> bool {
        self.progress.borrow(py).socket.is_none()
    }

    fn carry(&self, py: Python<'_>, cx: &mut Context<'_>) -> Poll<()> {
        let mut news = News::default();
        self.move_frames(&mut self.progress.borrow_mut(py), cx, &mut news);
        for (is_news, waiters) in [
            (news.messages, &self.receivers),
            (news.room, &self.senders),
            (news.pong, &self.askers),
            (news.over, &self.closers),
        ] {
            if is_news {
                waiters.wake(py);
            }
        }
        if news.over { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Runs no Python.
    fn move_frames(&self, progress: &mut Progress, cx: &mut Context<'_>, news: &mut News) {
        if !progress.carrier.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            progress.carrier = Some(cx.waker().clone());
        }
        let Some(mut socket) = progress.socket.take() else {
            news.over = true;
            return;
        };
        if socket.unsent() > 0 {
            news.room = socket.poll_flush(cx).is_ready();
        }
        let had_ended = progress.end.is_some();
        self.read_messages(progress, &mut socket, cx, news);
        if let Some(number) = socket.take_pong().and_then(|payload| payload.try_into().ok()) {
            let number = u32::from_be_bytes(number);
            // What was never asked is no answer.
            if progress.asked.wrapping_sub(number) <= u32::MAX / 2 {
                progress.answered = number;
                news.pong = true;
            }
        }
        let is_quiet = progress.end.is_some()
            && (socket.ender() == Some(Ender::Connection)
                || socket.ender() == Some(Ender::Silence)
                || socket.poll_quiet(cx).is_ready());
        let is_late = (progress.end.is_some() || progress.is_closing)
            && progress
                .deadline
                .get_or_insert_with(|| Box::pin(sleep(self.close_timeout)))
                .as_mut()
                .poll(cx)
                .is_ready();
        if is_late || progress.is_forgotten {
            progress.ended(ABNORMAL, String::new(), None);
        }
        news.over = is_quiet || is_late || progress.is_forgotten;
        if progress.end.is_some() && !had_ended {
            (news.messages, news.room, news.pong) = (true, true, true);
        }
        if !news.over {
            progress.socket = Some(socket);
        }
    }

    fn read_messages(
        &self,
        progress: &mut Progress,
        socket: &mut WebSocket<ClientStream>,
        cx: &mut Context<'_>,
        news: &mut News,
    ) {
        while progress.end.is_none() {
            progress.look_for_end(socket, cx);
            progress.held_up = !progress.may_take_more();
            if progress.held_up {
                return;
            }
            match socket.poll_receive(cx) {
                Poll::Ready(Some(Message::Close { code, reason })) => {
                    progress.ended(code, reason, socket.ender());
                }
                Poll::Ready(Some(message)) => {
                    progress.took(message);
                    news.messages = true;
                }
                Poll::Ready(None) => progress.ended(ABNORMAL, String::new(), Some(Ender::Connection)),
                Poll::Pending if socket.holds_end() => {
                    progress.end_is_held = true;
                    progress.look_for_end(socket, cx);
                    if socket.holds_end() {
                        return;
                    }
                }
                Poll::Pending => return,
            }
        }
    }
}

/// What a message counts for; its own bookkeeping included.
fn size(message: &Message) -> usize {
    let payload = match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
        Message::Shared(_) | Message::Close { .. } => 0,
    };
    payload + size_of::<Message>()
}
