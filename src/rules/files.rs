//! Rule files on disk.

use super::import;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// The names and texts of the rule files at `path`, sorted by name: of a directory all `*.toml`, and the YAML files that hold rules.
pub fn read(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let open = |path: &Path, source| Error::Open { target: path.display().to_string(), source };
    let text = |file: &Path| match std::fs::read_to_string(file) {
        Ok(text) => Ok((file.display().to_string(), text)),
        Err(source) => Err(open(file, source)),
    };
    if !path.is_dir() {
        return Ok(vec![text(path)?]);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for item in std::fs::read_dir(path).map_err(|e| open(path, e))? {
        files.push(item.map_err(|e| open(path, e))?.path());
    }
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("toml") => texts.push(text(&file)?),
            Some("yml" | "yaml") => texts.extend(Some(text(&file)?).filter(|(_, text)| import::is_yaml(text))),
            _ => {}
        }
    }
    Ok(texts)
}

/// The file that the rule file `file` says it extends: its name and its text. As gitleaks reads it, the path counts from the working
/// directory; if nothing is there, from the file that names it.
pub fn extended(file: &str, path: &str) -> Option<(String, String)> {
    let beside = Path::new(file).parent().map(|dir| dir.join(path));
    let found = [Some(PathBuf::from(path)), beside].into_iter().flatten().find(|path| path.is_file())?;
    Some((found.display().to_string(), std::fs::read_to_string(found).ok()?))
}
