//! From files to texts to search: small files are packed together, large ones are cut into overlapping windows.

mod batch;
mod clean;

pub use batch::{Batch, Found, Packer, Piece};
pub use clean::Clean;
