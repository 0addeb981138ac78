//! pentimento
pub mod detect;
pub mod digest;
pub mod error;
pub mod layer;
pub mod layer_scan;
pub mod rules;
pub mod secret;
pub mod text;
pub mod timeline;
pub use error::Error;
