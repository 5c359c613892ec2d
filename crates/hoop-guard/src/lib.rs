//! What keeps calls within bounds, as policies that decide and never wait. No tokio, no pyo3, no clock,
//! no thread: `now` is the time since any moment that stays the same, randomness is a number in `[0, 1)`.
//!
//! - [`RateTable`]: how often each key may act (GCRA); [`Quota`] says how often that is.
//! - [`Places`]: how many are at work at once, and who is next.
//! - [`Breaker`]: whether a dependency that fails is left alone for a while.
//! - [`RetryPolicy`]: whether to try again, and when; [`Backoff`] has the pauses.
//! - [`RetryBudget`]: how many retries all callers together may add to the load.
//! - [`HedgePolicy`] and [`Latencies`]: when a second attempt is worth starting beside the first.
//! - [`Deadline`]: until when all of this may take.

#![forbid(unsafe_code)]

mod backoff;
mod breaker;
mod budget;
mod deadline;
mod hedge;
mod latencies;
mod places;
mod rate;
mod retry;
mod window;

pub use backoff::{Backoff, Jitter};
pub use breaker::{Breaker, BreakerLimits, Outcome, Passage, State};
pub use budget::{BudgetLimits, RetryBudget};
pub use deadline::Deadline;
pub use hedge::{HedgeLimits, HedgePolicy};
pub use latencies::Latencies;
pub use places::{Entrance, Places, Ticket};
pub use rate::{Quota, RateTable, Refusal};
pub use retry::{Decision, RetryPolicy, StopReason, Trial};
