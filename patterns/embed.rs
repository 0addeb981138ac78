//! Build script
fn main() {}
