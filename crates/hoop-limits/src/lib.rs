//! What clients may take of a server: time, and work at once. No tokio, no pyo3, no clock, no thread.
//!
//! - [`Pace`]: how one connection gets on, and when that is too slow; [`PaceLimits`].
//! - [`Admission`]: how many requests are at work, and how many wait for that.
//! - [`CoarseClock`]: time as a server's one timer gives it.

#![forbid(unsafe_code)]

mod admission;
mod coarse_clock;
mod pace;

pub use admission::{Admission, Entrance, Ticket};
pub use coarse_clock::CoarseClock;
pub use pace::{Overdue, Pace, PaceLimits, Sight, Stage};
