//! hoopsnake's network engine on tokio. Knows no Python.
//!
//! - [`LevelPoller`]: level-triggered readiness of foreign file descriptors.

mod readiness;

pub use readiness::{LevelPoller, Readiness};
