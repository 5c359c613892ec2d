//! The body of the request at hand: read as it is asked for, or thrown away.

use std::task::{Context, Poll};

use hoop_http1::{Piece, Refusal};

use super::{CONTINUE, Lost, Stream};
use crate::passage::Late;

impl Stream {
    /// Reads as much of the body as is wanted; whether more is.
    pub(super) fn read_body(&mut self, cx: &mut Context<'_>) -> Result<bool, Lost> {
        if self.passage.take_late() == Some(Late::Body) && self.inflow.is_some() {
            let refusal = self.reader.refuse(Refusal::BodyTimeout);
            return Err(self.refuse_body(refusal));
        }
        while let Some(inflow) = &self.inflow {
            if inflow.is_gone() {
                self.inflow = None;
                break;
            }
            if !inflow.is_wanted(cx) {
                return Ok(false);
            }
            if !self.has_answered && std::mem::take(&mut self.owes_continue) {
                self.wire.queue(|out| out.extend_from_slice(CONTINUE));
            }
            let before = self.held.len();
            if let Some(refusal) = self.give_held() {
                return Err(self.refuse_body(refusal));
            }
            if self.held.len() < before {
                continue;
            }
            match self.poll_fill(cx) {
                Poll::Pending => return Ok(true),
                Poll::Ready(Ok(0) | Err(_)) => {
                    // Whoever reads it is told, and may answer that.
                    self.ended = true;
                    self.inflow = None;
                }
                Poll::Ready(Ok(_)) => {}
            }
        }
        Ok(false)
    }

    fn refuse_body(&mut self, refusal: Refusal) -> Lost {
        if let Some(inflow) = self.inflow.take() {
            inflow.fail(refusal);
        }
        Lost::Refused(refusal)
    }

    /// Gives the body what is here of it, up to one piece of data: a chunk, or some of it. Why it is refused, if
    /// it is.
    pub(super) fn give_held(&mut self) -> Option<Refusal> {
        let mut has_given = false;
        while !(self.reader.is_between() || has_given && self.reader.is_at_data()) {
            match self.reader.next_piece(&self.held) {
                Ok(Piece::Data(length)) => {
                    let data = self.take(length, false);
                    if let Some(inflow) = &self.inflow {
                        inflow.give(data.freeze());
                    }
                    has_given = true;
                }
                Ok(Piece::Framing(length)) => drop(self.take(length, false)),
                Ok(Piece::Head(_) | Piece::More | Piece::Undecided) => return None,
                Err(refusal) => return Some(refusal),
            }
        }
        if self.reader.is_between()
            && let Some(inflow) = self.inflow.take()
        {
            inflow.complete();
        }
        None
    }

    /// Throws away what is left of a body that nobody reads, as far as it has come. Ready once a body is
    /// complete, or nobody is going to ask for more of it.
    pub fn poll_leave_body(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.attend(cx);
        if self.inflow.is_some() {
            return Poll::Pending;
        }
        self.discard_held();
        // What the client was not asked to send it may never send.
        if self.reader.is_in_body() && !self.owes_continue && self.poll_fill(cx).is_ready() {
            self.discard_held();
        }
        Poll::Ready(())
    }

    fn discard_held(&mut self) {
        while self.reader.is_in_body() {
            match self.reader.next_piece(&self.held) {
                Ok(Piece::Data(length) | Piece::Framing(length)) => drop(self.take(length, false)),
                Ok(Piece::Head(_) | Piece::More | Piece::Undecided) | Err(_) => return,
            }
        }
    }
}
