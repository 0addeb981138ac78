//! Build script: lists the rule files of this directory, so that they are part of the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let dir = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("patterns");
    let mut files: Vec<PathBuf> = fs::read_dir(&dir)?.map(|item| item.map(|i| i.path())).collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let mut source = String::from("/// Name and text of each built-in rule file.\npub const FILES: &[(&str, &str)] = &[\n");
    for file in &files {
        let name = file.file_name().unwrap_or_default();
        writeln!(source, "    ({name:?}, include_str!({file:?})),").map_err(io::Error::other)?;
    }
    source.push_str("];\n");
    let out = Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("patterns.rs");
    fs::write(out, source)?;
    println!("cargo::rerun-if-changed=patterns");
    Ok(())
}
