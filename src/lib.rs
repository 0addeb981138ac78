//! pentimento
#![warn(missing_docs)]
pub mod error;
pub mod digest;
pub mod layer;
