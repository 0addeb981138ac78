//! The report as test cases, as Jenkins and GitLab read them: a suite an image, a failure a finding, an error a problem. There is no standard;
//! only elements and attributes that both know are used.

use super::words;
use super::{FindingEntry, ImageEntry, ProblemEntry, Report};
use crate::report::fix;
use crate::text::sanitise;
use std::io;

/// How a case ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Pass,
    Skip,
    Fail,
    Error,
}

/// One test case.
struct Case {
    class: String,
    name: String,
    /// A file of the project, if one is known.
    file: Option<String>,
    end: End,
    message: String,
    text: String,
}

/// Writes all suites.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut suites: Vec<(String, Vec<Case>)> =
        report.images.iter().enumerate().map(|(index, image)| (suite_name(report, index, image), cases(report, index, image))).collect();
    let rest = rest(report);
    if !rest.is_empty() {
        suites.push(("pentimento".to_owned(), rest));
    }
    let count = |end: End| suites.iter().flat_map(|(_, cases)| cases).filter(|case| case.end == end).count();
    let tests: usize = suites.iter().map(|(_, cases)| cases.len()).sum();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"pentimento\" tests=\"{tests}\" failures=\"{}\" errors=\"{}\" time=\"0\">",
        count(End::Fail),
        count(End::Error)
    )?;
    for (name, cases) in &suites {
        suite(report, name, cases, out)?;
    }
    writeln!(out, "</testsuites>")
}

/// Two images may have the same name.
fn suite_name(report: &Report, index: usize, image: &ImageEntry) -> String {
    let name = words::image_name(image);
    let platform = image.platform.as_deref().map(|platform| format!(" {}", sanitise(platform))).unwrap_or_default();
    let again =
        report.images.iter().take(index).filter(|other| words::image_name(other) == name && other.platform == image.platform).count();
    if again == 0 { format!("{name}{platform}") } else { format!("{name}{platform} ({})", again + 1) }
}

fn finding_case(finding: &FindingEntry) -> Case {
    let end = if finding.fails { End::Fail } else { End::Skip };
    let fix = fix::fix(finding);
    let blocks = fix.blocks.iter().map(|block| format!("{}: {}\n{}\n", block.file, block.say, block.text));
    let text = format!("{}\nid {}\n\n{}\n{}\n{}", words::told(finding), finding.id, fix.why, fix.rotate, blocks.collect::<String>());
    Case {
        class: format!("pentimento.{}", sanitise(&finding.rule)),
        name: format!("{} in {} [{}]", sanitise(&finding.title), words::place(finding), finding.id),
        file: finding.dockerfile.as_ref().map(|entry| entry.path.clone()),
        end,
        message: match end {
            End::Skip => format!("the policy lets it pass: {}", words::told(finding)),
            _ => words::told(finding),
        },
        text,
    }
}

fn problem_case(report: &Report, (number, problem): (usize, &ProblemEntry)) -> Case {
    let text = words::remark(report, problem);
    Case {
        class: format!("pentimento.{}", sanitise(&problem.code)),
        name: format!("everything can be read [{}]", number + 1),
        file: None,
        end: End::Error,
        message: format!("the scan is incomplete: {text}"),
        text: "What is not listed may still be in the image.".to_owned(),
    }
}

/// The cases of an image: what was found, what could not be read, or that it is clean.
fn cases(report: &Report, index: usize, image: &ImageEntry) -> Vec<Case> {
    let mut cases: Vec<Case> = report.findings.iter().filter(|finding| finding.image == Some(index)).map(finding_case).collect();
    let problems = report.problems.iter().enumerate();
    cases.extend(problems.filter(|(_, problem)| problem.image == Some(index)).map(|problem| problem_case(report, problem)));
    // What is wrong with the whole archive may be wrong with this image.
    let doubt = report.problems.iter().any(|problem| problem.image.is_none() && problem.source == image.source);
    if cases.is_empty() && !doubt {
        cases.push(nothing_listed(report));
    }
    cases
}

/// An image of which nothing is listed. What is public is no secret; if anything else was found and is not listed, the case is none that
/// passes: whose it is, is not known.
fn nothing_listed(report: &Report) -> Case {
    let said: Vec<String> = report.suppressed.iter().map(words::left_out).collect();
    let public = report.suppressed.iter().all(|suppressed| suppressed.reason == "public");
    let (name, end) = match said.is_empty() {
        true => ("no secrets in any layer, config or history", End::Pass),
        false if public => ("no secrets but what is public in any layer, config or history", End::Pass),
        false => ("no secrets in any layer, config or history but what is let pass", End::Skip),
    };
    Case { class: "pentimento".to_owned(), name: name.to_owned(), file: None, end, message: said.join("; "), text: String::new() }
}

/// What belongs to no image, and a verdict that no other case tells.
fn rest(report: &Report) -> Vec<Case> {
    let mut cases: Vec<Case> = report.findings.iter().filter(|finding| finding.image.is_none()).map(finding_case).collect();
    let problems = report.problems.iter().enumerate();
    cases.extend(problems.filter(|(_, problem)| problem.image.is_none()).map(|problem| problem_case(report, problem)));
    if report.verdict == "found" && !report.findings.iter().any(|finding| finding.fails) {
        let notes: Vec<String> = report.notes.iter().map(|note| words::remark(report, note)).collect();
        cases.push(Case {
            class: "pentimento".to_owned(),
            name: "the policy".to_owned(),
            file: None,
            end: End::Fail,
            message: "a note fails the policy (--fail-on-notes)".to_owned(),
            text: notes.join("\n"),
        });
    }
    cases
}

fn suite(report: &Report, name: &str, cases: &[Case], out: &mut dyn io::Write) -> io::Result<()> {
    let count = |end: End| cases.iter().filter(|case| case.end == end).count();
    writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"0\">",
        escaped(name),
        cases.len(),
        count(End::Fail),
        count(End::Error),
        count(End::Skip)
    )?;
    writeln!(
        out,
        "    <properties><property name=\"verdict\" value=\"{}\"/><property name=\"complete\" value=\"{}\"/></properties>",
        escaped(&report.verdict),
        report.complete
    )?;
    for case in cases {
        let file = case.file.as_ref().map(|file| format!(" file=\"{}\"", escaped(file))).unwrap_or_default();
        write!(out, "    <testcase classname=\"{}\" name=\"{}\"{file} time=\"0\"", escaped(&case.class), escaped(&case.name))?;
        let message = escaped(&case.message);
        match case.end {
            End::Pass => writeln!(out, "/>")?,
            End::Skip => writeln!(out, "><skipped message=\"{message}\"/></testcase>")?,
            End::Fail => writeln!(out, "><failure message=\"{message}\">{}</failure></testcase>", escaped(&case.text))?,
            End::Error => writeln!(out, "><error message=\"{message}\">{}</error></testcase>", escaped(&case.text))?,
        }
    }
    let said: Vec<String> = report.suppressed.iter().map(words::left_out).collect();
    writeln!(out, "    <system-out>{}</system-out>", escaped(&[vec![words::coverage(report)], said].concat().join("\n")))?;
    writeln!(out, "  </testsuite>")
}

/// Text that XML 1.0 may hold (2.2), in an attribute or between tags; line ends stay.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for c in sanitise(line).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
                c => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_closes_an_element() {
        assert_eq!(escaped("]]></failure>\"&\n\u{1}\u{ffff}"), "]]&gt;&lt;/failure&gt;&quot;&amp;\n\\x01\u{fffd}");
    }
}
