//! From files to texts to search: small files are packed together, large ones are cut into overlapping windows.

mod batch;

pub use batch::{Batch, Found, Packer, Piece};
