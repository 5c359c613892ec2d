//! Which route a request takes, and what of it its handler is given. No tokio, no pyo3, no clock, no thread.
//!
//! - [`Pattern`]: a path as routes are declared with it.
//! - [`Router`]: the route that a method and a path take.
//! - [`Plan`]: what its handler is given; [`report`]: what is wrong with a request.

#![forbid(unsafe_code)]

mod bounds;
mod complaint;
mod cookies;
mod json_text;
mod pattern;
mod plan;
mod report;
mod router;
mod scalar;

pub use bounds::{Bounds, Length, Number};
pub use complaint::{Complaint, Detail};
pub use cookies::cookies;
pub use json_text::{write_float, write_integer, write_text};
pub use pattern::{Convertor, Pattern, PatternError, Piece, Segment};
pub use plan::{Argument, Breach, Input, Parameter, Place, Plan, Request, Shape};
pub use report::report;
pub use router::{Destination, Router};
pub use scalar::{Choices, Scalar, Value};
