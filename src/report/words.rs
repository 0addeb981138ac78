//! What several formats say in the same words.

use super::human::{bytes, came_from, fate_words, groups, location, plural, short_digests};
use super::{FindingEntry, ImageEntry, ProblemEntry, Report, SuppressedEntry};
use crate::source::target::Target;
use crate::text::{sanitise, shorten};
use std::borrow::Cow;

/// Characters of an instruction that a sentence shows.
const MOST_OF_INSTRUCTION: usize = 200;
/// Characters of a name, a path or a message that a sentence shows.
const MOST_OF_NAME: usize = 500;

/// The severities, the worst first.
pub const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

/// The place of a word in a list that begins with the worst.
fn rank(list: &[&str], word: &str) -> usize {
    list.iter().position(|known| *known == word).unwrap_or(list.len())
}

/// What is worse has a lower one: what fails before what passes, then by severity and confidence. What is cut off is what matters least.
pub fn worst(finding: &FindingEntry) -> (bool, usize, usize) {
    (!finding.fails, rank(&SEVERITIES, &finding.severity), rank(&SEVERITIES[1..], &finding.confidence))
}

/// The findings of all targets, the worst first.
pub fn worst_first(report: &Report) -> Vec<&FindingEntry> {
    let mut findings: Vec<&FindingEntry> = report.findings.iter().collect();
    findings.sort_by_key(|finding| worst(finding));
    findings
}

/// How much was found.
pub fn counts(report: &Report) -> String {
    let count = |state: &str| report.findings.iter().filter(|finding| finding.fate.state == state).count();
    let (metadata, present) = (count("config"), count("present"));
    let hidden = report.findings.len() - metadata - present;
    match groups(report).len() {
        0 => "no secrets found".to_owned(),
        secrets => format!(
            "{} in {}: {hidden} in hidden files, {present} in visible files, {metadata} in metadata",
            plural(secrets, "secret"),
            plural(report.findings.len(), "place")
        ),
    }
}

/// What was found and is not listed.
pub fn left_out(suppressed: &SuppressedEntry) -> String {
    let why = match suppressed.reason.as_str() {
        "base" => "that came with the base image (--base)",
        "public" => "in files that are as a public package has them; --include-public shows them",
        "ignored" => "let pass by an ignore; --show-ignored shows them",
        "baseline" => "known to the baseline; --show-ignored shows them",
        _ => "with `pentimento:allow` in the image itself; --no-allow shows what it allows",
    };
    format!("NOT shown: {} {why}", plural(usize::try_from(suppressed.count).unwrap_or(usize::MAX), "finding"))
}

/// What was read, and whether that was all.
pub fn coverage(report: &Report) -> String {
    let all = &report.coverage;
    let count = |number: u64, what| plural(usize::try_from(number).unwrap_or(usize::MAX), what);
    let complete = if report.complete { "everything was read" } else { "NOT everything could be read" };
    format!("read {}, {}, {}; {complete}", count(all.layers, "layer"), count(all.files, "file"), bytes(all.bytes_read))
}

/// What an image is called: its first name, or else where it was read.
pub fn image_name(image: &ImageEntry) -> String {
    shorten(&sanitise(image.names.first().unwrap_or(&image.source)), MOST_OF_NAME)
}

/// What to name for other commands that are to read this image again: of a repository that was scanned with all its tags, the one with this
/// image.
pub fn target(image: &ImageEntry) -> Cow<'_, str> {
    match (Target::parse(&image.source), image.names.first()) {
        (Ok(Target::Registry(reference)), Some(name)) if reference.tag.is_none() && reference.digest.is_none() => {
            format!("registry://{name}").into()
        }
        _ => image.source.as_str().into(),
    }
}

/// Of the image that a finding is in.
pub fn image_of(report: &Report, finding: &FindingEntry) -> String {
    finding.image.and_then(|index| report.images.get(index)).map(image_name).unwrap_or_default()
}

/// The name of an image without tag and digest, which a rebuild may change. None of a name that is a tag alone, as OCI layouts have it.
pub fn repository(name: &str) -> Option<&str> {
    let is_tag = !name.contains(['/', ':', '@']);
    let name = name.split('@').next().unwrap_or(name);
    let without_tag = match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    };
    Some(without_tag).filter(|name| !is_tag && !name.is_empty())
}

/// The name of a file or a directory that was scanned, without what says how it is packed. None of a pipe, and of what is no file.
pub fn stem(target: &str) -> Option<&str> {
    const ENDINGS: [&str; 9] = ["tar", "tgz", "gz", "zst", "xz", "bz2", "lz4", "oci", "json"];
    if target == "-" || target.contains("://") {
        return None;
    }
    let path = ["oci:", "rootfs:", "dir:"].iter().find_map(|prefix| target.strip_prefix(prefix)).unwrap_or(target);
    let mut name = path.trim_end_matches('/').rsplit('/').next()?;
    while let Some((before, _)) = name.rsplit_once('.').filter(|(_, ending)| ENDINGS.contains(ending)) {
        name = before;
    }
    Some(name).filter(|name| !matches!(*name, "" | "." | ".."))
}

/// The value of a secret as far as it may be shown.
pub fn value(finding: &FindingEntry) -> String {
    match &finding.secret.value {
        Some(value) => shorten(&sanitise(value), MOST_OF_INSTRUCTION),
        None => sanitise(&finding.secret.redacted),
    }
}

/// Where a finding is, in a line.
pub fn place(finding: &FindingEntry) -> String {
    shorten(&sanitise(&location(finding)), MOST_OF_NAME)
}

/// The instruction that brought it in, in a line.
pub fn origin(finding: &FindingEntry) -> String {
    shorten(&sanitise(&short_digests(&came_from(finding))), MOST_OF_INSTRUCTION)
}

/// Where that stands: `Dockerfile:12`.
pub fn line(entry: &super::DockerfileEntry) -> String {
    format!("{}:{}", sanitise(&entry.path), entry.line)
}

/// How a file came into the image: layer and instruction. None for what is in no layer.
pub fn brought_in(finding: &FindingEntry) -> Option<String> {
    let layer = finding.location.layer?;
    let at = finding.dockerfile.as_ref().map(|entry| format!(", {}", line(entry))).unwrap_or_default();
    Some(format!("layer {layer} ({}{at})", origin(finding)))
}

/// What became of it: how, by which layer and which instruction.
pub fn fate(finding: &FindingEntry) -> String {
    let how = fate_words(&finding.fate);
    let Some(by) = finding.fate.by_layer else { return how.to_owned() };
    let instruction = finding.fate.by_instruction.as_deref().unwrap_or("unknown instruction");
    let instruction = shorten(&sanitise(&short_digests(instruction)), MOST_OF_INSTRUCTION);
    let at = finding.fate.by_dockerfile.as_ref().map(|entry| format!(", {}", line(entry))).unwrap_or_default();
    format!("{how} by layer {by} ({instruction}{at})")
}

/// The whole of it in two sentences: what, where, how it came in, what became of it.
pub fn told(finding: &FindingEntry) -> String {
    let sure = if finding.confidence == "high" { String::new() } else { format!(", {} confidence", finding.confidence) };
    let from = brought_in(finding).map(|by| format!(", brought in by {by}")).unwrap_or_default();
    let hidden = !matches!(finding.fate.state.as_str(), "present" | "config");
    let back = if hidden && finding.recoverable { " It can be got back from the saved image." } else { "" };
    format!("{} {} in {}{from}: {}{sure}.{back}", sanitise(&finding.title), value(finding), place(finding), fate(finding))
}

/// A problem or a note, in a line.
pub fn remark(report: &Report, entry: &ProblemEntry) -> String {
    let image = entry.image.and_then(|index| report.images.get(index)).map(image_name);
    let mut place = vec![image.unwrap_or_else(|| shorten(&sanitise(&entry.source), MOST_OF_NAME))];
    place.extend(entry.layer.map(|layer| format!("layer {layer}")));
    place.extend(entry.path.as_deref().map(|path| shorten(&sanitise(path), MOST_OF_NAME)));
    format!("{}: {} ({})", sanitise(&entry.code), shorten(&sanitise(&entry.message), MOST_OF_NAME), place.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_a_name_without_its_tag() {
        for (name, expected) in [
            ("demo:1", Some("demo")),
            ("localhost:5000/a/b", Some("localhost:5000/a/b")),
            ("localhost:5000/a/b:v1", Some("localhost:5000/a/b")),
            ("a@sha256:00", Some("a")),
            ("a:v@sha256:00", Some("a")),
            ("v1.2", None),
        ] {
            assert_eq!(repository(name), expected);
        }
    }

    #[test]
    fn a_target_is_called_after_its_file() {
        for (target, expected) in [
            ("app.tar", Some("app")),
            ("./out/app-web.tar.gz", Some("app-web")),
            ("oci:layout/", Some("layout")),
            ("rootfs:/", None),
            ("-", None),
            ("..", None),
            ("registry://host/app", None),
        ] {
            assert_eq!(stem(target), expected);
        }
    }
}
