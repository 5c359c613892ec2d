//! Pure scheduling data structures: what runs next, and when. No tokio, no pyo3, no clock, no thread.
//!
//! - [`LoopMeter`] and [`DelayHistogram`]: what a loop did, and how long callbacks waited.
//! - [`ReadyQueue`]: callbacks that may run now, handed out one turn at a time.
//! - [`SweptList`]: things that die unnoticed.
//! - [`TimerHeap`]: callbacks that wait for a moment; the caller says what time it is.

#![forbid(unsafe_code)]

mod delay_histogram;
mod loop_meter;
mod ready_queue;
mod swept_list;
mod timer_heap;

pub use delay_histogram::DelayHistogram;
pub use loop_meter::LoopMeter;
pub use ready_queue::ReadyQueue;
pub use swept_list::SweptList;
pub use timer_heap::{Cancellable, TimerHeap};
