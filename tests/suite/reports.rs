//! The formats of reports: what other programs demand of each, that none tells a secret, and that each says what it left out.

use crate::support::{Packing, Run, TestImage, file, pack, put, rm, run, run_with, temporary, token};
use pentimento::digest::Digest;
use pentimento::report::{self, Format, Report, Span, Style};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;

const FORMATS: [&str; 9] = ["human", "json", "jsonl", "sarif", "gitlab", "junit", "markdown", "csv", "html"];
const SARIF: &str = include_str!("../schemas/sarif-schema-2.1.0.json");
const GITLAB: &str = include_str!("../schemas/gitlab-secret-detection-report-format-15.0.7.json");

fn demo() -> String {
    format!("{}/testdata/demo/demo.tar", env!("CARGO_MANIFEST_DIR"))
}

fn scan(archive: &[u8], format: &str) -> Run {
    run_with(["scan", "-", "--format", format, "--min-confidence", "low"], archive)
}

/// An ordinary image: a file that is deleted later, a variable, a step of the history.
fn ordinary() -> TestImage {
    let env = format!("A=1\nGITHUB_TOKEN={}\n", token("report"));
    let copy = crate::support::layer_tar(&[put("app/.env", env)]);
    let run = format!("/bin/sh -c curl -H 'Authorization: token {}' https://example.org", token("step"));
    TestImage::new()
        .step("/bin/sh -c #(nop) COPY dir:1 in /app", &copy)
        .step("/bin/sh -c rm /app/.env", &crate::support::layer_tar(&[rm("app/.env")]))
        .step(&run, &crate::support::layer_tar(&[put("x", "y")]))
        .config(json!({ "Env": [format!("NPM_SECRET={}", token("env"))] }))
}

/// Names that mean something in one of the formats.
fn hostile() -> TestImage {
    let names = [
        "<script>alert(1)</script>&amp;.env",
        "]]></failure><x y='\"'>",
        "=cmd|'-c calc'!A0",
        "@SUM(1,2)",
        "a`b|c](http://example.org) @someone",
        "c:\\d:e/%2e%2e/%00 f?g#h",
        "bidi\u{202e}\u{2066}/line\nbreak\r/\u{1b}[31mred",
        "{0} {{x}} [y](1)/.env",
        "-\u{ffff}\u{fffe}",
        "``` <!-- -->/.env",
    ];
    let files: Vec<_> = names.iter().map(|name| put(name, format!("T={}\n", token(name)))).collect();
    let mut image = TestImage::new().entries(&files);
    // A name that is no UTF-8, and a secret in a name.
    let mut builder = tar::Builder::new(Vec::new());
    let content = format!("T={}\n", token("raw"));
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..7].copy_from_slice(b"caf\xe9\\.e");
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, content.as_bytes()).expect("memory");
    image = image.step("/bin/sh -c echo \"<b>${HOME}</b>\" | `x` @you # [z](2)", &builder.into_inner().expect("memory"));
    image.layer([put(&format!("{}/.env", token("name")), format!("T={}\nU={}\n", token("name"), token("other")))])
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("no JSON: {e}: {text}"))
}

fn errors(schema: &str, document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&parsed(schema)).expect("a schema");
    validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// A report by the library, from the JSON of another.
fn written(report: &Value, format: Format) -> String {
    let report: Report = serde_json::from_value(report.clone()).expect("a report");
    let mut out = Vec::new();
    report::write(format, Style { color: false, width: 100 }, Span { from: 0, to: 1 }, &report, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

/// A report with `count` findings, of which each tenth is worse than the others, and the worst come last.
fn large(count: usize, folder: impl Fn(usize) -> String) -> Value {
    let mut report = scan(&ordinary().docker_save(), "json").json();
    let one = report["findings"][0].clone();
    let finding = |number: usize| {
        let mut finding = one.clone();
        finding["id"] = format!("{number:020x}").into();
        finding["secret"]["group"] = number.into();
        finding["severity"] = if number % 10 == 9 { "critical" } else { "low" }.into();
        finding["rule"] = if number % 10 == 9 { "worse" } else { "harmless" }.into();
        finding["location"]["path"] = format!("srv/{number}/{}/.env", folder(number)).into();
        finding
    };
    report["findings"] = (0..count).map(finding).collect();
    report
}

fn list<'a>(value: &'a Value, what: &str) -> &'a Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no {what}: {value}"))
}

/// A tenth of the alphabet of URIs is enough to go wrong.
fn is_relative(uri: &str) -> bool {
    let parts: Vec<&str> = uri.split('/').collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%/".contains(c);
    uri.chars().all(plain) && !parts.iter().any(|part| matches!(*part, "" | "." | "..")) && !parts[0].contains(':')
}

#[test]
fn code_scanning_takes_every_sarif() {
    for image in [ordinary(), hostile(), TestImage::new().layer([put("a", "b")]), ordinary().tagged("localhost:5000/a/b:v1.2@x")] {
        let log = parsed(&scan(&image.docker_save(), "sarif").stdout);
        assert_eq!(errors(SARIF, &log), Vec::<String>::new());
        let run = &log["runs"][0];
        assert!(
            run["automationDetails"]["id"]
                .as_str()
                .is_some_and(|id| id.starts_with("pentimento/") && id.ends_with('/') && !id.contains(':'))
        );
        let rules = list(&run["tool"]["driver"]["rules"], "rules");
        for rule in rules {
            assert!(
                list(&rule["properties"]["tags"], "tags").len() <= 10
                    && rule["help"]["markdown"].as_str().is_some_and(|h| h.contains("rotate"))
            );
            assert!(
                rule["properties"]["security-severity"].as_str().and_then(|n| n.parse::<f64>().ok()).is_some_and(|n| n > 0.0 && n <= 10.0)
            );
        }
        let mut fingerprints = HashSet::new();
        for result in list(&run["results"], "results") {
            let index = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[index]["id"], result["ruleId"]);
            let place = &result["locations"][0]["physicalLocation"];
            assert!(place["artifactLocation"]["uri"].as_str().is_some_and(is_relative), "{place}");
            assert!(place["region"]["startLine"].as_u64() >= Some(1) && place["region"].get("startColumn").is_none());
            assert!(fingerprints.insert(result["partialFingerprints"]["primaryLocationLineHash"].clone()), "{result}");
            // From the file over the layer to the image.
            let locations = list(&run["logicalLocations"], "logical locations");
            let mut at = &locations[result["locations"][0]["logicalLocations"][0]["index"].as_u64().expect("an index") as usize];
            while let Some(parent) = at["parentIndex"].as_u64() {
                at = &locations[parent as usize];
            }
            assert_eq!(at["kind"], "image");
        }
    }
    let log = parsed(&scan(&hostile().docker_save(), "sarif").stdout);
    let results = list(&log["runs"][0]["results"], "results");
    let uris: Vec<&str> =
        results.iter().filter_map(|r| r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str()).collect();
    assert!(uris.iter().any(|uri| uri.contains("caf%5Cxe9")) && uris.iter().any(|uri| uri.contains("%3Cscript%3E")), "{uris:?}");
    assert!(
        results.iter().any(|r| r["message"]["text"].as_str().is_some_and(|text| text.contains("${{HOME}}") && text.contains("\\[z\\](2)")))
    );
}

#[test]
fn code_scanning_tells_images_of_one_name_apart() {
    let dir = temporary();
    let one = file(dir.path(), "one.tar", &ordinary().tagged("app:1").docker_save());
    let two = file(dir.path(), "two.tar", &ordinary().tagged("app:1").docker_save());
    let names = |log: &Value| -> Vec<String> {
        assert_eq!(errors(SARIF, log), Vec::<String>::new());
        let places = list(&log["runs"][0]["logicalLocations"], "logical locations").iter();
        let mut names: Vec<String> = places
            .filter(|place| place["kind"] == "image")
            .map(|place| place["fullyQualifiedName"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    };
    for targets in [[&one, &two], [&one, &one]] {
        let log = parsed(&run(["scan", targets[0], targets[1], "--format", "sarif"]).stdout);
        assert_eq!(names(&log), ["app:1 (linux/amd64)", "app:1 (linux/amd64) [2]"]);
    }
    let mut report = run(["scan", &one, &two, "--format", "json"]).json();
    report["images"][1]["platform"] = "linux/arm64".into();
    assert_eq!(names(&parsed(&written(&report, Format::Sarif))), ["app:1 (linux/amd64)", "app:1 (linux/arm64)"]);
    report["images"][1]["names"] = json!(["app:2"]);
    assert_eq!(names(&parsed(&written(&report, Format::Sarif))), ["app:1", "app:2"]);
}

#[test]
fn a_large_sarif_is_cut_the_worst_first_and_says_so() {
    // What packs well is cut at the number of results; what does not, at the size.
    let dull = sarif_of_many(&|_| "x".repeat(100));
    assert_eq!(dull, 25_000);
    let digest = |number: usize| Digest::sha256(&number.to_le_bytes()).encoded();
    let noise = sarif_of_many(&|number| (0..20).map(|part| digest(number * 20 + part)).collect::<Vec<_>>().join("/"));
    assert!(noise > 3_000 && noise < 25_000, "{noise}");
}

/// Checks the report on 30,000 findings in such folders, and returns how many are in it.
fn sarif_of_many(folder: &dyn Fn(usize) -> String) -> usize {
    let text = written(&large(30_000, folder), Format::Sarif);
    let packed = pack(text.as_bytes(), Packing::Gzip).len();
    assert!(packed < 10_000_000, "{packed}");
    let log = parsed(&text);
    assert_eq!(errors(SARIF, &log), Vec::<String>::new());
    let run = &log["runs"][0];
    let results = list(&run["results"], "results");
    assert!(results.len() == 25_000 || packed > 9_000_000, "there was room for more: {packed}");
    assert!(
        results[..3_000].iter().all(|result| result["ruleId"] == "worse") && results[3_000..].iter().all(|r| r["ruleId"] == "harmless")
    );
    let notes = list(&run["invocations"][0]["toolExecutionNotifications"], "notifications");
    let told = notes.iter().find(|note| note["descriptor"]["id"] == "results-cut").expect("a word about the cut");
    let counts = format!("only the {} worst of 30000 findings", results.len());
    assert!(told["message"]["text"].as_str().is_some_and(|text| text.contains(&counts)), "{told}");
    assert_eq!((&run["properties"]["listed"], &run["properties"]["found"]), (&json!(results.len()), &json!(30_000)));
    // No rule or location is left of what was cut.
    let used: HashSet<u64> = results.iter().filter_map(|r| r["locations"][0]["logicalLocations"][0]["index"].as_u64()).collect();
    let files = list(&run["logicalLocations"], "locations").iter().filter(|location| location["kind"] == "file").count();
    assert_eq!(used.len(), files);
    results.len()
}

#[test]
fn gitlab_takes_every_report() {
    for image in [ordinary(), hostile(), TestImage::new().layer([put("a", "b")])] {
        let document = parsed(&scan(&image.docker_save(), "gitlab").stdout);
        assert_eq!(errors(GITLAB, &document), Vec::<String>::new());
        let found = list(&document["vulnerabilities"], "vulnerabilities");
        let ids: HashSet<&str> = found.iter().filter_map(|one| one["id"].as_str()).collect();
        let place = |one: &Value| (one["identifiers"][0]["value"].to_string(), one["location"].to_string());
        let places: HashSet<_> = found.iter().map(place).collect();
        assert_eq!((ids.len(), places.len()), (found.len(), found.len()), "GitLab would take two for one");
        assert!(found.iter().all(|one| one.get("raw_source_code_extract").is_none()));
    }
    let twice = ordinary().layer([put("app/.env", format!("B=1\nGITHUB_TOKEN={}\n", token("another")))]);
    let document = parsed(&scan(&twice.docker_save(), "gitlab").stdout);
    let found = list(&document["vulnerabilities"], "vulnerabilities");
    let lines = found.iter().filter(|one| one["location"]["file"].as_str().is_some_and(|file| file.starts_with("app/.env")));
    let lines: Vec<&str> = lines.filter_map(|one| one["location"]["file"].as_str()).collect();
    assert!(lines.len() == 2 && lines.contains(&"app/.env") && lines[0] != lines[1], "{lines:?}");
}

#[test]
fn gitlab_never_takes_two_findings_for_one() {
    // In each of three images a secret that was hidden and came back; and a file that is called as another one would be.
    let mut report = scan(&ordinary().docker_save(), "json").json();
    let one = report["findings"][0].clone();
    let finding = |id: &str, path: &str, image: usize| {
        let mut finding = one.clone();
        (finding["id"], finding["image"]) = (id.into(), image.into());
        finding["location"]["path"] = path.into();
        finding
    };
    let again = (0..3).flat_map(|image| ["a", "a-2"].map(|id| finding(id, "app/.env", image)));
    let named = ["app/.env#a-2", "app/.env#a.2", "app/.env#a-2.2"].map(|path| finding(&format!("b{}", path.len()), path, 0));
    report["findings"] = again.chain(named).collect();
    let document = parsed(&written(&report, Format::Gitlab));
    assert_eq!(errors(GITLAB, &document), Vec::<String>::new());
    let found = list(&document["vulnerabilities"], "vulnerabilities");
    let all = |key: &str| found.iter().map(|one| one[key].to_string()).collect::<HashSet<_>>().len();
    assert_eq!((found.len(), all("id"), all("location")), (9, 9, 9), "{found:#?}");
    // Those of the first image are as they are without the others.
    report["findings"].as_array_mut().expect("findings").truncate(2);
    let alone = parsed(&written(&report, Format::Gitlab));
    assert_eq!(list(&alone["vulnerabilities"], "vulnerabilities")[..], found[..2]);
}

/// Everything that a run with `--show-secrets` tells, in pieces of a line.
fn values(report: &Value) -> HashSet<String> {
    let mut values = HashSet::new();
    for finding in list(&report["findings"], "findings") {
        let parts = list(&finding["parts"], "parts").iter().map(|part| &part["value"]);
        for value in [&finding["secret"]["value"]].into_iter().chain(parts).filter_map(Value::as_str) {
            values.extend(value.lines().filter(|line| line.len() >= 8 && !line.starts_with("-----")).map(str::to_owned));
        }
    }
    values
}

#[test]
fn no_format_tells_a_secret() {
    let dir = temporary();
    let demo = std::fs::read(demo()).expect("the demo");
    for (name, archive) in [("demo", demo), ("ordinary", ordinary().docker_save()), ("hostile", hostile().docker_save())] {
        let target = file(dir.path(), &format!("{name}.tar"), &archive);
        let shown = run(["scan", &target, "--format", "json", "--show-secrets", "--min-confidence", "low"]).json();
        let values = values(&shown);
        assert!(values.len() >= 3, "{values:?}");
        for format in FORMATS {
            let told = run(["scan", &target, "--format", format, "--min-confidence", "low"]);
            for value in &values {
                assert!(!told.stdout.contains(value.as_str()) && !told.stderr.contains(value.as_str()), "{format} of {name} tells {value}");
            }
            let shown = run(["scan", &target, "--format", format, "--show-secrets", "--min-confidence", "low"]);
            let any = values.iter().any(|value| shown.stdout.contains(value.as_str()));
            assert!(any, "{format} of {name} shows none when asked: exit {} {} {}", shown.code, shown.stderr, shown.stdout);
        }
    }
}

#[test]
fn fingerprints_outlive_a_rebuild_and_a_new_tag() {
    let env = |lines: usize| format!("{}GITHUB_TOKEN={}\n", "X=1\n".repeat(lines), token("report"));
    let first = TestImage::new().layer([put("app/.env", env(0))]);
    let rebuilt = TestImage::new().tagged("test:2").layer([put("base", "x")]).layer([put("app/.env", env(3))]).layer([rm("app/.env")]);
    let prints = |image: TestImage| {
        let log = parsed(&scan(&image.docker_save(), "sarif").stdout);
        let run = &log["runs"][0];
        let results = list(&run["results"], "results").iter();
        let told = results.map(|r| {
            (r["ruleId"].clone(), r["partialFingerprints"].clone(), r["locations"][0]["physicalLocation"]["artifactLocation"].clone())
        });
        (run["automationDetails"].clone(), told.collect::<Vec<_>>())
    };
    let before = prints(first);
    assert_eq!(before.1.len(), 1);
    assert_eq!(before, prints(rebuilt));
}

#[test]
fn the_category_outlives_tags_and_other_names() {
    let dir = temporary();
    let mut report = scan(&ordinary().docker_save(), "json").json();
    let mut category = |source: &str, names: &[&str]| {
        (report["images"][0]["source"], report["images"][0]["names"]) = (source.into(), json!(names));
        parsed(&written(&report, Format::Sarif))["runs"][0]["automationDetails"]["id"].as_str().expect("an id").to_owned()
    };
    for (source, names, expected) in [
        ("image.tar", &["app:1"][..], "pentimento/app/"),
        ("image.tar", &["app:2", "ghcr.io/me/app:2"], "pentimento/app/"),
        ("image.tar", &["v1", "ghcr.io/me/app:2"], "pentimento/ghcr.io/me/app/"),
        ("out/web.tar.gz", &["v1"], "pentimento/web/"),
        ("oci:out/web", &["v2"], "pentimento/web/"),
        ("-", &["v1"], "pentimento/"),
        ("-", &[], "pentimento/"),
    ] {
        assert_eq!(category(source, names), expected, "{source} {names:?}");
    }
    // An OCI archive has its tag alone for a name.
    let target = file(dir.path(), "web.tar", &ordinary().oci_archive(Packing::Gzip));
    let log = parsed(&run(["scan", &target, "--format", "sarif"]).stdout);
    assert_eq!(log["runs"][0]["automationDetails"]["id"], "pentimento/web/");
}

/// The cells of each line (RFC 4180).
fn table(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(!quoted && row.is_empty() && cell.is_empty(), "it ends within a line");
    rows
}

#[test]
fn a_table_can_be_read_back() {
    let archive = hostile().docker_save();
    let report = scan(&archive, "json").json();
    let rows = table(&scan(&archive, "csv").stdout);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    let findings = list(&report["findings"], "findings");
    let notes = list(&report["notes"], "notes").len();
    assert!(notes > 0 && rows.len() == findings.len() + notes + 2, "a header, a line a finding and a note, and the verdict");
    let column = |name: &str| rows[0].iter().position(|cell| cell == name).expect("a column");
    for (row, finding) in rows[1..].iter().zip(findings) {
        assert_eq!((&row[column("type")], &row[column("id")]), (&"finding".to_owned(), &finding["id"].as_str().expect("an id").to_owned()));
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t'])), "{row:?}");
    }
    assert!(rows.iter().any(|row| row[column("path")].starts_with("'=cmd")));
    let codes = rows.iter().filter(|row| row[column("type")] == "note").map(|row| row[column("message")].split(':').next());
    assert!(codes.eq(list(&report["notes"], "notes").iter().map(|note| note["code"].as_str())));
    let last = rows.last().expect("a line");
    assert_eq!((&last[column("type")][..], &last[column("verdict")][..]), ("summary", "found"));
    let dir = temporary();
    let rows = table(&ignoring(&dir, "csv"));
    let last = rows.last().expect("a line");
    assert!(last[column("message")].contains("NOT shown: 1 finding let pass by an ignore"), "{last:?}");
}

#[test]
fn lines_have_what_the_document_has() {
    let archive = ordinary().docker_save();
    let report = scan(&archive, "json").json();
    let text = scan(&archive, "jsonl").stdout;
    let lines: Vec<Value> = text.lines().map(parsed).collect();
    for (kind, key) in [("image", "images"), ("finding", "findings"), ("note", "notes"), ("problem", "problems")] {
        let of_kind = lines.iter().filter(|line| line["type"] == kind).cloned().map(|mut line| {
            line.as_object_mut().expect("an object").remove("type");
            line
        });
        assert_eq!(&of_kind.collect::<Vec<_>>(), list(&report[key], key), "{kind}");
    }
    let last = lines.last().expect("a line");
    for key in ["verdict", "complete", "coverage", "tool", "schema_version", "suppressed", "gate"] {
        assert_eq!(last[key], report[key]);
    }
    assert_eq!(last["type"], "summary");
}

/// The elements of an XML document in their order, with their attributes: enough to see that it is one. (Python's parser reads them, too.)
fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let (mut open, mut told) = (Vec::new(), Vec::new());
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration");
    let entities = ["amp;", "lt;", "gt;", "quot;"];
    while let Some(at) = rest.find('<') {
        let (between, tag) = rest.split_at(at);
        assert!(between.split('&').skip(1).all(|part| entities.iter().any(|entity| part.starts_with(entity))), "{between}");
        let (tag, behind) = tag[1..].split_once('>').expect("an end of the tag");
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let empty = tag.ends_with('/');
        let (name, mut attributes) = tag.trim_end_matches('/').split_once(' ').unwrap_or((tag.trim_end_matches('/'), ""));
        let mut pairs = Vec::new();
        while !attributes.trim().is_empty() {
            let (key, value) = attributes.trim_start().split_once("=\"").expect("an attribute");
            let (value, behind) = value.split_once('"').expect("its end");
            assert!(key.chars().all(|c| c.is_ascii_lowercase()) && !value.contains('<'), "{key}");
            pairs.push((key.to_owned(), value.to_owned()));
            attributes = behind;
        }
        if !empty {
            open.push(name.to_owned());
        }
        told.push((name.to_owned(), pairs));
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    assert!(text.chars().all(|c| !c.is_control() || c == '\n') && !text.contains(['\u{fffe}', '\u{ffff}']));
    told
}

/// The report on an image of which everything is ignored.
fn ignoring(dir: &tempfile::TempDir, format: &str) -> String {
    let image = TestImage::new().layer([put("app/.env", format!("GITHUB_TOKEN={}\n", token("report")))]);
    let (target, ignores) =
        (file(dir.path(), "ignored.tar", &image.docker_save()), file(dir.path(), "ignores", b"path:app/* until never # known\n"));
    let told = run(["scan", &target, "--ignore-file", &ignores, "--format", format]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    told.stdout
}

#[test]
fn no_test_case_says_that_what_is_ignored_is_not_there() {
    let dir = temporary();
    let text = ignoring(&dir, "junit");
    let count = |name: &str| elements(&text).iter().filter(|(element, _)| element == name).count();
    assert_eq!((count("testcase"), count("skipped"), count("failure")), (1, 1, 0), "{text}");
    assert!(
        text.contains("but what is let pass") && text.contains("<skipped message=\"NOT shown: 1 finding let pass by an ignore"),
        "{text}"
    );
    // What is public is no secret, but that it is there is said.
    let mut report = scan(&TestImage::new().layer([put("a", "b")]).docker_save(), "json").json();
    report["suppressed"] = json!([{ "reason": "public", "count": 3 }]);
    let text = written(&report, Format::Junit);
    assert!(text.contains("no secrets but what is public") && !text.contains("<skipped"), "{text}");
}

#[test]
fn nothing_of_a_short_value_is_told_where_it_is_encoded() {
    let value = ["hunter", "2ab"].concat();
    let encoded = base64(&value);
    let secret = format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  password: {encoded}\n");
    let step = format!("/bin/sh -c echo {} | base64 -d > /s", base64(&format!("DB_PASSWORD={value}\n")));
    let image = TestImage::new()
        .step(&step, &crate::support::layer_tar(&[put("s/.env", format!("DB_PASSWORD={value}\n"))]))
        .layer([put("k/secret.yaml", secret)]);
    let report = scan(&image.docker_save(), "json");
    let findings = report.json();
    assert!(list(&findings["findings"], "findings").len() >= 3, "{findings:#}");
    for finding in list(&findings["findings"], "findings") {
        let parts = list(&finding["parts"], "parts").iter().map(|part| &part["redacted"]);
        assert!(parts.chain([&finding["secret"]["redacted"]]).all(|told| told == "********"), "{finding:#}");
    }
    // Neither the end of the value nor that of what encodes it.
    for end in ["2ab", &encoded[encoded.len() - 3..]] {
        assert!(!report.stdout.contains(&format!("*{end}")), "{end}: {}", report.stdout);
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(text)
}

#[test]
fn test_cases_fail_for_what_is_found_and_pass_where_nothing_is() {
    let count = |text: &str, name: &str| elements(text).iter().filter(|(element, _)| element == name).count();
    let found = scan(&hostile().docker_save(), "junit").stdout;
    let report = scan(&hostile().docker_save(), "json").json();
    let findings = list(&report["findings"], "findings").len();
    assert_eq!((count(&found, "testcase"), count(&found, "failure"), count(&found, "error")), (findings, findings, 0));
    let suite = elements(&found).into_iter().find(|(name, _)| name == "testsuite").expect("a suite").1;
    assert!(suite.contains(&("failures".to_owned(), findings.to_string())));
    let names: HashSet<_> = elements(&found).into_iter().filter(|(name, _)| name == "testcase").map(|(_, attributes)| attributes).collect();
    assert_eq!(names.len(), findings, "two cases of one name are one");
    let clean = scan(&TestImage::new().layer([put("a", "b")]).docker_save(), "junit").stdout;
    assert_eq!((count(&clean, "testcase"), count(&clean, "failure"), count(&clean, "error"), count(&clean, "skipped")), (1, 0, 0, 0));
    let passed = run_with(["scan", "-", "--format", "junit", "--fail-on", "none"], &ordinary().docker_save()).stdout;
    assert!(count(&passed, "failure") == 0 && count(&passed, "skipped") > 0 && passed.contains("value=\"passed\""));
    let noted =
        run_with(["scan", "-", "--format", "junit", "--fail-on-notes"], &TestImage::new().layer([put("a", "b")]).docker_save()).stdout;
    assert_eq!(count(&noted, "failure"), 1, "{noted}");
}

#[test]
fn every_format_says_that_a_scan_is_incomplete() {
    let whole = TestImage::new().layer([put("a", "b")]).docker_save();
    let mut members = crate::support::members(&whole);
    let half = members[0].1.len() / 4;
    members[0].1.truncate(half);
    let cut = crate::support::archive(&members);
    for format in FORMATS {
        let told = scan(&cut, format);
        assert_eq!(told.code, 3, "{format}: {}", told.stderr);
        let clean = scan(&whole, format).stdout;
        let expected = match format {
            "json" => "\"complete\": false",
            "jsonl" => "\"complete\":false",
            "sarif" => "\"executionSuccessful\":false",
            "gitlab" => "\"status\": \"failure\"",
            "junit" => "<error message=\"the scan is incomplete",
            "markdown" => "**The scan is incomplete.**",
            "csv" => "NOT everything could be read",
            "html" => "NOT complete",
            _ => "NOT everything could be read",
        };
        assert!(told.stdout.contains(expected) && told.stdout.contains("incomplete"), "{format}: {}", told.stdout);
        assert!(!clean.contains(expected) && clean.to_lowercase().contains("clean"), "{format}: {clean}");
    }
    let cases = elements(&scan(&cut, "junit").stdout);
    let tests = cases.iter().filter(|(name, _)| name == "testcase").count();
    assert_eq!(tests, cases.iter().filter(|(name, _)| name == "error").count(), "none passes");
}

#[test]
fn a_comment_is_never_longer_than_github_takes() {
    let text = written(&large(5_000, |_| "x".repeat(100)), Format::Markdown);
    assert!(text.len() < 65_536, "{}", text.len());
    assert!(text.contains("CUT: the 100 worst of 5000 secrets are listed"), "{}", &text[text.len() - 500..]);
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    assert!(text.lines().filter(|line| line.starts_with("| critical ")).count() > 10);
    // What fails is never cut in favour of what passes, however bad that is; what failed is told in front of it.
    let mut report = large(5_000, |_| "x".repeat(100));
    for (number, finding) in report["findings"].as_array_mut().expect("findings").iter_mut().enumerate() {
        finding["fails"] = (number == 4_000).into();
    }
    report["gate"]["conditions"] = json!(["fate present"]);
    report["gate"]["failed"]["count"] = 1.into();
    let text = written(&report, Format::Markdown);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| severity")).collect();
    assert!(rows[0].starts_with("| low | ") && rows[0].contains("`srv/4000/"), "{}", rows[0]);
    assert!(rows.len() == 100 && rows[1..].iter().all(|row| row.starts_with("| critical (passes) | ")), "{rows:#?}");
    let gate = text.find("- FAILED: 1 of 5000 findings (1 low): fate present").expect("the gate");
    assert!(gate < text.find("| severity").expect("the table"));
    // However much there is to be said of the gate, the secrets follow.
    let ignore = |line: usize| json!({ "what": "|".repeat(300), "because": "x", "file": "i", "line": line, "count": 1 });
    report["gate"]["ignored"] = (0..20).map(ignore).collect();
    let text = written(&report, Format::Markdown);
    assert!(text.len() < 65_536 && text.contains("\n- FAILED: 1 of 5000") && text.contains(" more lines\n\n| severity"), "{text}");
    assert!(text.lines().filter(|line| line.starts_with("| critical ")).count() > 50);
    let first = parsed(&written(&report, Format::Sarif))["runs"][0]["results"][0].clone();
    assert_eq!((&first["properties"]["fails"], &first["ruleId"]), (&json!(true), &json!("harmless")));
    for format in [Format::Human, Format::Html] {
        let text = written(&report, format);
        assert!(text.find("srv/4000/") < text.find("srv/9/") && text.contains("srv/4000/"), "{format:?}");
    }
    let hostile = scan(&hostile().docker_save(), "markdown").stdout;
    let rows: Vec<&str> = hostile.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 9 && rows.iter().all(|row| row.matches('|').count() == 6), "{rows:#?}");
    assert!(!hostile.contains('\u{202e}') && !hostile.contains('\x1b'));
    // Outside code there is no link, no mention and no HTML of the image.
    let prose = prose(&hostile);
    for markup in ["](", "@someone", "@you", "<script", "<b>", "</failure"] {
        assert!(!prose.contains(markup), "{markup}: {prose}");
    }
}

/// What of a Markdown text is no code.
fn prose(text: &str) -> String {
    let (mut fence, mut prose) = (None, String::new());
    for line in text.lines() {
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if line.starts_with("```") => fence = Some(line),
            None => prose.push_str(&format!("{}\n", line.split('`').step_by(2).collect::<String>())),
        }
    }
    assert!(fence.is_none(), "a block of code has no end");
    prose
}

/// Lines by finding, in a scan of the demo.
fn lines(report: &Value, of: &str) -> Vec<(String, Option<u64>, Option<u64>)> {
    let told = list(&report["findings"], "findings").iter().map(|finding| {
        let at = &finding["location"];
        let place = at["path"].as_str().map_or_else(|| format!("{} {}", at["kind"], at["step"]), str::to_owned);
        for entry in [&finding["dockerfile"], &finding["fate"]["by_dockerfile"]] {
            assert!(entry.is_null() || entry["path"] == of, "{entry}");
        }
        (place, finding["dockerfile"]["line"].as_u64(), finding["fate"]["by_dockerfile"]["line"].as_u64())
    });
    told.collect()
}

#[test]
fn findings_point_at_the_dockerfile() {
    let dockerfile = format!("{}/testdata/demo/Dockerfile", env!("CARGO_MANIFEST_DIR"));
    let demo = demo();
    let relative = if Path::new("testdata/demo/Dockerfile").exists() { "testdata/demo/Dockerfile" } else { &dockerfile };
    let told = run(["scan", &demo, "--format", "json", "--dockerfile", &dockerfile]);
    let report = told.json();
    let schema: Value = run(["schema"]).json();
    assert_eq!(errors(&schema.to_string(), &report), Vec::<String>::new());
    let lines = lines(&report, relative);
    for expected in [
        ("app/.env", Some(6), Some(8)),
        ("app/deploy_key", Some(6), Some(11)),
        ("root/id_ed25519", Some(11), None),
        ("tmp/pass.txt", Some(9), Some(10)),
        ("\"env\" null", Some(12), None),
        ("\"history\" 9", Some(12), None),
        ("\"history\" 4", Some(7), None),
    ] {
        assert!(lines.contains(&(expected.0.to_owned(), expected.1, expected.2)), "{expected:?} in {lines:?}");
    }
    let log = parsed(&run(["scan", &demo, "--format", "sarif", "--dockerfile", &dockerfile]).stdout);
    assert_eq!(errors(SARIF, &log), Vec::<String>::new());
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["region"], json!({ "startLine": 6, "endLine": 6 }));
    assert!(
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .is_some_and(|uri| uri.ends_with("testdata/demo/Dockerfile"))
    );
    assert!(result["message"]["text"].as_str().is_some_and(|text| text.contains("app/.env:2:14")));
    let gitlab = parsed(&run(["scan", &demo, "--format", "gitlab", "--dockerfile", &dockerfile]).stdout);
    assert_eq!(errors(GITLAB, &gitlab), Vec::<String>::new());
    assert_eq!(gitlab["vulnerabilities"][0]["details"]["dockerfile"]["line_start"], 6);
}

#[test]
fn a_dockerfile_that_does_not_agree_gives_no_lines() {
    let dir = temporary();
    let demo = demo();
    let other = file(dir.path(), "Dockerfile", b"FROM scratch\nCOPY app /app\nRUN rm /app/.env\n");
    let told = run(["scan", &demo, "--format", "json", "--dockerfile", &other]);
    assert_eq!(told.code, 1);
    assert!(told.stderr.contains("does not agree with the history"), "{}", told.stderr);
    assert!(list(&told.json()["findings"], "findings").iter().all(|finding| finding.get("dockerfile").is_none()));
    for (content, why) in [(&b"RUN x\n"[..], "line 1"), (b"FROM a\nRUN <<EOF\nx\n", "line 2"), (b"", "FROM")] {
        let wrong = file(dir.path(), "wrong", content);
        let told = run(["scan", &demo, "--dockerfile", &wrong]);
        assert!(told.code == 2 && told.stderr.contains(why), "{}", told.stderr);
    }
    assert_eq!(run(["scan", &demo, "--dockerfile", "/does/not/exist"]).code, 2);
}

#[test]
fn several_reports_of_one_scan() {
    let dir = temporary();
    let target = file(dir.path(), "image.tar", &ordinary().docker_save());
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (sarif, page, gitlab) = (at("r.sarif"), at("r.html"), format!("gitlab:{}", at("gl.json")));
    let told = run(["scan", &target, "-o", &sarif, "-o", &page, "-o", &gitlab, "-o", "jsonl:-"]);
    assert_eq!((told.code, told.stderr.as_str()), (1, ""));
    assert_eq!(parsed(told.stdout.lines().last().expect("a line"))["type"], "summary");
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a report");
    assert_eq!(errors(SARIF, &parsed(&read("r.sarif"))), Vec::<String>::new());
    assert_eq!(errors(GITLAB, &parsed(&read("gl.json"))), Vec::<String>::new());
    assert!(read("r.html").contains("What is below"), "the page has the census");
    let quiet = run(["scan", &target, "-o", &sarif, "--quiet"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let told = run(["scan", &target, "-o", &sarif]);
    assert!(
        told.stdout.is_empty() && told.stderr.starts_with("pentimento: found: ") && told.stderr.lines().count() == 1,
        "{}",
        told.stderr
    );
}

#[test]
fn outputs_that_cannot_be_are_told_before_the_scan() {
    let dir = temporary();
    let target = file(dir.path(), "image.tar", &ordinary().docker_save());
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (one, other, same) = (at("a.json"), at("b"), dir.path().join(".").join("a.json").display().to_string());
    let prefixed = format!("sarif:{one}");
    for (arguments, why) in [
        (["-o", &one, "-o", &same, "--color", "never"], "two reports to one place"),
        (["-o", "-", "-o", "json:-", "--color", "never"], "two reports to one place"),
        (["-o", &one, "-o", &target, "--color", "never"], "is, or is in, a target"),
        (["-o", &one, "-o", &other, "--format", "json"], "-o json:"),
        (["-o", &prefixed, "--format", "json", "--color", "never"], "another format than the prefix"),
        (["-o", "-", "-o", "json:/dev/stdout", "--color", "never"], "two reports to one place"),
        (["-o", "/dev/fd/1", "-o", "json:/dev/stdout", "--color", "never"], "two reports to one place"),
        (["-o", "sarfi:y.json", "-o", &one, "--color", "never"], "a file of this name is `./sarfi:y.json`"),
    ] {
        let [a, b, c, d, e, f] = arguments;
        let told = run(["scan", &target, a, b, c, d, e, f]);
        assert!(told.code == 2 && told.stderr.contains(why), "{arguments:?}: {}", told.stderr);
        assert!(!Path::new(&one).exists(), "nothing was written");
    }
}

/// A value may be the names of several directories, or stand percent-encoded in a step.
#[test]
fn a_value_is_told_neither_by_directories_nor_percent_encoded() {
    let random = token("directories");
    let (first, second) = (format!("{}@vL", &random[4..12]), format!("{}#Kd:Wp", &random[12..20]));
    let value = format!("{first}/{second}");
    let encoded = value.replace('@', "%40").replace('/', "%2f").replace('#', "%23").replace(':', "%3A");
    let files = [put("app/.env", format!("DB_PASSWORD={value}\n")), put(&format!("app/{value}/x.py"), "x".repeat(5000))];
    let image = TestImage::new().step(&format!("RUN curl \"https://x.example/?c={encoded}\""), &crate::support::layer_tar(&files));
    let archive = image.docker_save();
    for format in FORMATS {
        let told = scan(&archive, format).stdout;
        assert!(told.contains("DB_PASSWORD") || told.contains("app/.env"), "{format}: it is no finding");
        assert!(!told.contains(&encoded), "{format}: percent-encoded");
        assert!(!told.contains(&first) && !told.contains(&second), "{format}: by directories");
    }
}
