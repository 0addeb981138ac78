//! The baseline: the findings that were there when it was made. It is JSON, a line a finding, sorted by id, so that it diffs well, and it
//! holds the value of no secret. Ids are made with a public key: who has a value and its place can check that it is in there.

use super::{Day, base_id};
use crate::error::Error;
use crate::text::unquoted;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format.
const FORMAT: u32 = 1;

/// Known findings.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The file that it was read from.
    file: String,
    /// By id, without the number of a repetition.
    findings: BTreeMap<String, Known>,
}

/// One of them: the id decides, the rest is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The finding's id.
    pub id: String,
    /// The rule's id.
    pub rule: String,
    /// Where it is, redacted.
    pub place: String,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The version of the format.
    #[serde(rename = "pentimento_baseline")]
    _format: u32,
    #[serde(rename = "tool")]
    _tool: String,
    #[serde(rename = "date")]
    _date: Option<String>,
    findings: Vec<Known>,
}

impl Baseline {
    /// Reads one. The error names the file.
    pub fn read(file: &str, text: &str) -> Result<Baseline, Error> {
        let wrong = |message: String| Error::Policy { file: file.to_owned(), message };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|e| wrong(format!("it is no baseline: {e}")))?;
        match value.get("pentimento_baseline").map(serde_json::Value::as_u64) {
            Some(Some(format)) if format == u64::from(FORMAT) => {}
            Some(_) => return Err(wrong("the baseline has another format: make it anew with `pentimento baseline`".to_owned())),
            None => return Err(wrong("it is no baseline: `pentimento baseline` writes one".to_owned())),
        }
        let document: Document = serde_json::from_str(text).map_err(|e| {
            let form = unquoted(&e.to_string());
            wrong(format!("the baseline is wrong: {form}"))
        })?;
        let by_id = document.findings.into_iter().map(|known| (base_id(&known.id).to_owned(), known));
        Ok(Baseline { file: file.to_owned(), findings: by_id.collect() })
    }

    /// The text of a baseline with these findings, made on this day.
    pub fn written(findings: impl IntoIterator<Item = Known>, day: Option<Day>) -> Result<String, serde_json::Error> {
        let mut sorted: BTreeMap<String, Known> = BTreeMap::new();
        for known in findings {
            let id = base_id(&known.id).to_owned();
            sorted.entry(id.clone()).or_insert(Known { id, ..known });
        }
        let lines: Result<Vec<String>, _> = sorted.values().map(|known| Ok(format!("    {}", serde_json::to_string(known)?))).collect();
        let lines = lines?.join(",\n");
        let findings = if lines.is_empty() { "[]".to_owned() } else { format!("[\n{lines}\n  ]") };
        let date = serde_json::to_string(&day.map(|day| day.to_string()))?;
        let version = env!("CARGO_PKG_VERSION");
        Ok(format!(
            "{{\n  \"pentimento_baseline\": {FORMAT},\n  \"tool\": \"pentimento {version}\",\n  \"date\": {date},\n  \"findings\": {findings}\n}}\n"
        ))
    }

    /// Whether a finding was there, by its id.
    pub fn has(&self, id: &str) -> bool {
        self.findings.contains_key(base_id(id))
    }

    /// How many findings it has.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// True where nothing was found when it was made.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// The file that it was read from.
    pub fn file(&self) -> &str {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str) -> Known {
        Known { id: id.to_owned(), rule: "r".to_owned(), place: "a\"b/.env".to_owned() }
    }

    #[test]
    fn what_is_written_is_read_and_does_not_depend_on_the_order() {
        let day = Day::parse("2026-11-26");
        let one = Baseline::written([known("bb"), known("aa-2"), known("aa")], day).expect("JSON");
        let other = Baseline::written([known("aa"), known("bb")], day).expect("JSON");
        assert_eq!(one, other);
        assert_eq!(one.lines().count(), 9, "{one}");
        let baseline = Baseline::read("b.json", &one).expect("a baseline");
        assert_eq!((baseline.len(), baseline.has("aa"), baseline.has("aa-3"), baseline.has("cc")), (2, true, true, false));
        let none = Baseline::read("b.json", &Baseline::written([], None).expect("JSON")).expect("a baseline");
        assert!(none.is_empty());
    }

    #[test]
    fn what_is_no_baseline_is_refused() {
        for (text, why) in [
            ("", "no baseline"),
            ("[]", "no baseline"),
            ("{\"schema_version\": 1, \"findings\": []}", "writes one"),
            ("{\"pentimento_baseline\": 2, \"tool\": \"x\", \"findings\": []}", "another format"),
            ("{\"pentimento_baseline\": 1, \"tool\": \"x\", \"findings\": [{\"id\": \"aa\"}]}", "rule"),
            ("{\"pentimento_baseline\": 1, \"tool\": \"x\", \"findings\": [], \"more\": 1}", "more"),
        ] {
            let error = Baseline::read("b.json", text).expect_err(text).to_string();
            assert!(error.starts_with("b.json: ") && error.contains(why), "{error}");
        }
    }
}
