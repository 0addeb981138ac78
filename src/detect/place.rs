//! What kind of file a text stands in, by its path: a word in quotes means less in a program than in settings.

/// Where an assignment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The text of a program: a value without quotes is an expression.
    Program,
    /// A text for people.
    Document,
    /// Anything else, settings mostly.
    Settings,
}

/// Where an assignment in a file of this path stands.
pub fn place(path: &[u8]) -> Place {
    const PROGRAMS: &[&str] = &[
        "py", "pyi", "js", "mjs", "cjs", "ts", "mts", "tsx", "jsx", "go", "java", "kt", "rb", "php", "c", "h", "cc", "cpp", "hpp", "rs",
        "cs", "swift", "scala", "pl", "pm", "lua", "map", "coffee", "vue", "el", "m", "sql", "tcl",
    ];
    const DOCUMENTS: &[&str] = &["md", "markdown", "mdx", "rst", "adoc", "html", "htm", "pod", "tex", "texi", "ipynb"];
    let ending = path.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let is = |list: &[&str]| list.iter().any(|e| e.as_bytes().eq_ignore_ascii_case(ending));
    match () {
        () if is(PROGRAMS) => Place::Program,
        () if is(DOCUMENTS) => Place::Document,
        () => Place::Settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells() {
        let places = [&b"app/settings.py"[..], b"app/README.MD", b"app/.env", b""].map(place);
        assert_eq!(places, [Place::Program, Place::Document, Place::Settings, Place::Settings]);
    }
}
