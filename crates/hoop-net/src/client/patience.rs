//! How long each phase of an exchange may take, and all of it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::failure::{Failure, Fault, Phase};

/// Limits of time; what has none may take for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection is there that others have.
    pub pool: Option<Duration>,
    /// Until a name is resolved and a connection made.
    pub connect: Option<Duration>,
    /// Until the TLS handshake is done.
    pub tls: Option<Duration>,
    /// Between two pieces of the request that go out.
    pub write: Option<Duration>,
    /// Until the response's head has come, and between two pieces of its body.
    pub read: Option<Duration>,
    /// From the request's beginning to the end of the response's body.
    pub total: Option<Duration>,
}

impl Timeouts {
    fn of(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Pool => self.pool,
            Phase::Connect | Phase::Proxy => self.connect,
            Phase::Tls => self.tls,
            Phase::Write => self.write,
            Phase::Read => self.read,
        }
    }
}

/// The one timer of an exchange.
#[derive(Debug)]
pub struct Patience {
    timeouts: Timeouts,
    begun: Instant,
    /// What is waited for, and since when.
    waits: Option<(Phase, Instant)>,
    /// Whether the timer is set for that.
    is_set: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// From now on.
    pub fn new(timeouts: Timeouts) -> Self {
        Self { timeouts, begun: Instant::now(), waits: None, is_set: false, timer: None }
    }

    /// How long the exchange has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Awaits `future`, for as long as `phase` may take.
    pub async fn within<T>(&mut self, phase: Phase, future: impl Future<Output = T>) -> Result<T, Failure> {
        let mut future = pin!(future);
        self.renew();
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => self.poll_expired(cx, phase, None, None).map(Err),
        })
        .await
    }

    /// Something has come: what is waited for next may take its whole time.
    pub fn renew(&mut self) {
        self.waits = None;
    }

    /// What to say if the exchange has no time left, for those who do not wait.
    pub fn overdue(&self, phase: Phase) -> Option<Failure> {
        let deadline = self.begun.checked_add(self.timeouts.total?)?;
        (deadline <= Instant::now()).then(|| self.expired(phase, None, Some(deadline)))
    }

    /// Ready once `phase` has taken too long; it has gone on since `since`, or since it was first asked for.
    /// Where it may turn into the phase `next` without a word, that is looked for now and then.
    pub fn poll_expired(
        &mut self,
        cx: &mut Context<'_>,
        phase: Phase,
        since: Option<Instant>,
        next: Option<Phase>,
    ) -> Poll<Failure> {
        let since = match (self.waits, since) {
            (Some((known, then)), None) if known == phase => then,
            (_, Some(since)) => since,
            _ => Instant::now(),
        };
        if self.waits != Some((phase, since)) {
            self.waits = Some((phase, since));
            self.is_set = false;
        }
        let limit = self.timeouts.of(phase);
        let deadline = self.timeouts.total.and_then(|total| self.begun.checked_add(total));
        let until = limit.and_then(|limit| since.checked_add(limit));
        let due = [until, deadline].into_iter().flatten().min();
        loop {
            if !std::mem::replace(&mut self.is_set, true) {
                let pause = next.and_then(|next| self.timeouts.of(next));
                let look = pause.and_then(|pause| Instant::now().checked_add(pause));
                let Some(at) = [due, look].into_iter().flatten().min() else { return Poll::Pending };
                match &mut self.timer {
                    Some(timer) => timer.as_mut().reset(at),
                    None => self.timer = Some(Box::pin(sleep_until(at))),
                }
            }
            if let Some(timer) = &mut self.timer {
                std::task::ready!(timer.as_mut().poll(cx));
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                return Poll::Ready(self.expired(phase, limit, deadline));
            }
            self.is_set = false;
        }
    }

    fn expired(&self, phase: Phase, limit: Option<Duration>, deadline: Option<Instant>) -> Failure {
        match deadline {
            Some(deadline) if deadline <= Instant::now() => Failure::new(
                phase,
                Fault::Deadline,
                format!(
                    "not done after {:?}, which is all the time it has",
                    self.timeouts.total.unwrap_or_default()
                ),
            ),
            _ => {
                let (what, limit) = (waited_for(phase), limit.unwrap_or_default());
                Failure::new(phase, Fault::Timeout, format!("{what} within {limit:?}"))
            }
        }
    }
}

fn waited_for(phase: Phase) -> &'static str {
    match phase {
        Phase::Pool => "no connection became free",
        Phase::Connect => "no connection was made",
        Phase::Proxy => "there was no answer to what it was asked",
        Phase::Tls => "the TLS handshake was not done",
        Phase::Write => "the server took nothing of the request",
        Phase::Read => "the server sent nothing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u64) -> Option<Duration> {
        Some(Duration::from_secs(number))
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_time_and_all_of_them_have_one() {
        let timeouts = Timeouts { read: seconds(5), total: seconds(12), ..Timeouts::default() };
        let mut patience = Patience::new(timeouts);
        let slow = tokio::time::sleep(Duration::from_secs(4));
        assert!(patience.within(Phase::Read, slow).await.is_ok());
        let slower = tokio::time::sleep(Duration::from_secs(6));
        let failure = patience.within(Phase::Read, slower).await.expect_err("too slow");
        assert_eq!((failure.fault, patience.elapsed()), (Fault::Timeout, Duration::from_secs(9)));
        let failure = patience.within(Phase::Pool, std::future::pending::<()>()).await.expect_err("never");
        assert_eq!((failure.fault, failure.phase), (Fault::Deadline, Phase::Pool));
        assert_eq!(patience.elapsed(), Duration::from_secs(12));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_limit_may_take_for_ever() {
        let mut patience = Patience::new(Timeouts::default());
        let year = tokio::time::sleep(Duration::from_secs(365 * 24 * 3600));
        assert!(patience.within(Phase::Connect, year).await.is_ok());
    }
}
