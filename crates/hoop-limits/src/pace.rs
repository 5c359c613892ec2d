//! How fast a connection gets on, judged by looking at it now and then.
//!
//! Nothing is measured while requests go by: they only count what they do. Whoever looks compares with
//! what was there at the last look. So a deadline is met late, by up to two looks, and never early.

use std::time::Duration;

/// How long things may take; None is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceLimits {
    /// From the first byte of a head to its last; and from connecting to the first byte.
    pub head: Option<Duration>,
    /// From an answer to the next request.
    pub idle: Option<Duration>,
    /// Bytes of a body that have to come in a second, on average, while they are waited for.
    pub body_rate: Option<u64>,
    /// The wait from which on that is asked for.
    pub body_grace: Duration,
    /// For which a client may take nothing of what is sent to it.
    pub stall: Option<Duration>,
}

impl Default for PaceLimits {
    fn default() -> Self {
        Self {
            head: Some(Duration::from_secs(10)),
            idle: Some(Duration::from_secs(75)),
            body_rate: Some(240),
            body_grace: Duration::from_secs(10),
            stall: Some(Duration::from_secs(60)),
        }
    }
}

impl PaceLimits {
    /// The shortest time that matters, if any does.
    pub fn shortest(&self) -> Option<Duration> {
        let grace = self.body_rate.map(|_| self.body_grace);
        [self.head, self.idle, grace, self.stall].into_iter().flatten().min()
    }
}

/// What the next byte of a client belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// To a new request.
    #[default]
    Between,
    /// To a head that has begun.
    Head,
    /// To a body.
    Body,
    /// To something that is not judged here.
    Left,
}

/// What a connection looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Requests that have come, by their heads.
    pub requests: u32,
    /// Of those, the ones without a complete answer.
    pub unanswered: u32,
    /// What the next byte belongs to.
    pub stage: Stage,
    /// Somebody waits for that byte.
    pub awaited: bool,
    /// Bytes that came.
    pub received: u64,
    /// Bytes that the client took, or the system for it.
    pub sent: u64,
    /// There are more, and the client does not take them.
    pub blocked: bool,
}

/// What takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// A head that has begun.
    Head,
    /// A body.
    Body,
    /// A request that has not begun.
    Idle,
    /// The client's taking of an answer.
    Stall,
}

/// What a connection is doing, for as long as it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Working,
    Idle { requests: u32, received: u64, sent: u64 },
    Head { requests: u32 },
    Stalled { sent: u64 },
}

impl Doing {
    fn of(sight: &Sight) -> Self {
        let Sight { requests, received, sent, .. } = *sight;
        match sight.stage {
            Stage::Left => Self::Working,
            _ if sight.blocked => Self::Stalled { sent },
            // Behind a request that is at work nobody reads the rest of a head.
            _ if sight.unanswered > 0 => Self::Working,
            Stage::Head => Self::Head { requests },
            Stage::Between | Stage::Body => Self::Idle { requests, received, sent },
        }
    }
}

/// How one connection gets on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// None before the first look.
    doing: Option<Doing>,
    since: Duration,
    looked: Duration,
    /// Of the body at hand: whose it is, what had come before it, how long it has been waited for.
    body_of: u32,
    received_before: u64,
    waited: Duration,
    awaited: bool,
}

impl Pace {
    /// Whether nothing was asked or on its way at the last look, nor at the one before it.
    pub fn is_quiet(&self) -> bool {
        matches!(self.doing, Some(Doing::Idle { .. })) && self.since < self.looked
    }

    /// Since when the connection has been doing what it does, if it was looked at before.
    pub fn since(&self) -> Option<Duration> {
        self.doing.map(|_| self.since)
    }

    /// Looks at the connection; what takes it too long, if anything.
    pub fn look(&mut self, sight: &Sight, limits: &PaceLimits, now: Duration) -> Option<Overdue> {
        let doing = Doing::of(sight);
        if self.doing != Some(doing) {
            self.doing = Some(doing);
            self.since = now;
        }
        let slow_body = self.look_at_body(sight, limits, now);
        self.looked = now;
        let lasts = now.saturating_sub(self.since);
        let is_over = |limit: Option<Duration>| limit.is_some_and(|limit| lasts > limit);
        match doing {
            Doing::Working => slow_body.then_some(Overdue::Body),
            Doing::Stalled { .. } => is_over(limits.stall).then_some(Overdue::Stall),
            Doing::Head { .. } => is_over(limits.head).then_some(Overdue::Head),
            // Who has never asked for anything is not kept for the next request.
            Doing::Idle { requests: 0, .. } => is_over(limits.head.or(limits.idle)).then_some(Overdue::Idle),
            Doing::Idle { .. } => is_over(limits.idle).then_some(Overdue::Idle),
        }
    }

    /// Counts the time for which a body is waited for; whether too little of it came in that time.
    fn look_at_body(&mut self, sight: &Sight, limits: &PaceLimits, now: Duration) -> bool {
        let awaited = sight.stage == Stage::Body && sight.awaited && sight.unanswered > 0;
        if awaited && sight.requests != self.body_of {
            self.body_of = sight.requests;
            self.received_before = sight.received;
            self.waited = Duration::ZERO;
        } else if awaited && self.awaited {
            self.waited += now.saturating_sub(self.looked);
        }
        self.awaited = awaited;
        let Some(rate) = limits.body_rate.filter(|_| awaited && self.waited > limits.body_grace) else {
            return false;
        };
        let came = sight.received.saturating_sub(self.received_before);
        u128::from(came) * 1_000_000_000 < u128::from(rate) * self.waited.as_nanos()
    }
}
