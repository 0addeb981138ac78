//! The report as one page for a browser: no script, nothing from the network, and nothing from the image that is not escaped.

mod details;
mod layers;
mod life;
mod matrix;
mod page;
mod parts;
mod squares;
mod strip;
mod treemap;

use super::Report;
use std::io::{self, Write};

/// Writes the whole page.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page::page(report).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::FindingEntry;
    use serde_json::{Value, json};
    use std::collections::HashSet;

    fn finding(number: usize, parts: Value) -> Value {
        let mut entry = json!({
            "id": format!("3f{number:018}"), "image": 0, "rule": "generic-password", "provider": "generic", "title": "Password",
            "severity": "high", "confidence": "high", "secret": {"redacted": "********", "length": 10, "group": number},
            "location": {"kind": "file", "layer": 1, "path": format!("app/{number}/.env"), "line": 1, "column": 9, "offset": 8},
            "instruction": "COPY . /app", "instruction_certain": true,
            "fate": {"state": "deleted", "how": "whiteout", "by_layer": 2, "by_instruction": "RUN rm /app/.env"},
            "also_visible": ["a/b"], "recoverable": true, "retrieve": "tar -xOf demo.tar x | tar -xOf - y", "rewritten_in": [2],
            "engine_dependent": "they differ", "public": "p (dpkg)", "parts": [{"name": "user", "redacted": "bob"}],
            "facts": {"host": "db"}, "reasons": ["why"], "context": "DB_PASSWORD=…", "revoke": "there"
        });
        for (key, value) in parts.as_object().expect("an object") {
            entry[key] = value.clone();
        }
        entry
    }

    fn image(layers: usize) -> Value {
        let changes = json!({"added": 3, "changed": 1, "rewritten": 1, "removed": 2, "bytes": 900, "hidden": 1, "hidden_bytes": 400});
        let layer = |index| {
            json!({"index": index, "diff_id": "sha256:00", "blob": if index == 2 { None } else { Some("sha256:11") },
            "size": 1000, "instruction": format!("RUN step {index}"), "base": index == 0, "changes": changes})
        };
        let leaf = |name: &str, visible: u64, hidden: u64| json!({"name": name, "visible": visible, "hidden": hidden});
        let tree = json!({"name": "", "visible": 900, "hidden": 600, "children": [
            {"name": "app", "visible": 500, "hidden": 500, "children": [leaf("a", 400, 100), leaf("b", 50, 400)]}, leaf("etc", 300, 100)]});
        json!({"source": "demo.tar", "names": ["demo:1"], "config": "sha256:22", "platform": "linux/amd64", "kind": "image",
            "orphan": false, "layers": (0..layers).map(layer).collect::<Vec<_>>(), "tree": tree})
    }

    fn report(images: Vec<Value>, findings: Vec<Value>) -> Value {
        let problem = json!({"code": "truncated", "message": "it ends", "source": "demo.tar", "image": 0, "layer": 1, "path": "x"});
        json!({"schema_version": 1, "tool": {"name": "pentimento", "version": "0", "rules": "abc"}, "verdict": "incomplete",
            "complete": false, "images": images, "findings": findings, "suppressed": [{"reason": "public", "count": 3}],
            "notes": [problem], "problems": [problem],
            "coverage": {"bytes_read": 1, "bytes_scanned": 1, "files": 1, "layers": 1, "skipped": [{"reason": "r", "count": 1, "bytes": 1}]}})
    }

    fn ordinary() -> Value {
        let env = json!({"location": {"kind": "env", "name": "A", "pointer": "/config/Env/0", "line": 1, "column": 1, "offset": 0},
            "fate": {"state": "config", "how": "current"}, "severity": "critical"});
        let states =
            ["present", "overwritten", "replaced", "superseded", "hidden"].map(|state| json!({"fate": {"state": state, "by_layer": 2}}));
        let findings = [json!({}), env, json!({"image": 1}), json!({"image": null})].into_iter().chain(states);
        report(vec![image(4), image(60)], findings.enumerate().map(|(at, parts)| finding(at, parts)).collect())
    }

    fn page(report: Value) -> String {
        let mut out = Vec::new();
        write(&serde_json::from_value(report).expect("a report"), &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    /// Every tag of a page must be one that we write, with attributes that we write, all quoted.
    fn check_markup(page: &str) {
        const TAGS: &str = " doctype html head meta title style body a p b ul ol li h1 h2 h3 h4 h5 div section article header footer nav main span \
            code pre dl dt dd table caption thead tbody tr th td details summary figure figcaption small br strong svg g rect circle path text tspan use \
            symbol defs pattern ";
        const ATTRIBUTES: &str = " html lang charset http-equiv content name class href id tabindex role scope data-h open width height viewBox x y r d \
            overflow transform patternUnits patternTransform aria-label aria-labelledby aria-hidden ";
        let is = |list: &str, word: &str| list.split_whitespace().any(|known| known == word);
        let (before, rest) = page.split_once("<style>").expect("a style");
        let (_, after) = rest.split_once("</style>").expect("its end");
        for part in [before, after] {
            let mut rest = part;
            while let Some((text, tag)) = rest.split_once('<') {
                assert!(!text.contains('>') || text.starts_with(['>', '\n']) || !text.contains(['"']), "{text}");
                let (tag, next) = tag.split_once('>').expect("the end of a tag");
                rest = next;
                let tag = tag.trim_start_matches(['/', '!']).trim_end_matches('/');
                let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
                assert!(is(TAGS, name), "<{tag}>");
                while !attributes.trim().is_empty() {
                    let word = attributes.trim_start();
                    let end = word.find(['=', ' ']).unwrap_or(word.len());
                    assert!(is(ATTRIBUTES, &word[..end]), "{} in <{tag}>", &word[..end]);
                    attributes = match word[end..].strip_prefix("=\"") {
                        Some(value) => value.split_once('"').expect("a quote").1,
                        None => &word[end..],
                    };
                }
            }
        }
    }

    #[test]
    fn an_ordinary_page_is_whole_and_small() {
        let page = page(ordinary());
        check_markup(&page);
        assert!(page.len() < 200_000, "{}", page.len());
        for part in
            ["NOT complete", "id=\"life\"", "id=\"matrix\"", "id=\"tree\"", "pentimento recover demo.tar 3f", "How to fix it", "<details"]
        {
            assert!(page.contains(part), "{part}");
        }
        let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
        let unique: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "an id is there twice");
        for link in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
            assert!(unique.contains(link), "#{link} leads nowhere");
        }
    }

    #[test]
    fn the_policy_allows_this_style_and_nothing_else() {
        use base64::Engine;
        use sha2::{Digest, Sha256};
        let page = page(ordinary());
        let style = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).expect("a style").0;
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style.as_bytes()));
        assert!(page.contains(&format!("content=\"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\"")));
        assert!(!style.contains("url(h") && !style.contains("@import") && !page.contains("http://") && !page.contains("src=\""));
        assert_eq!(page.matches("<style").count(), 1);
    }

    /// Puts `text` in the place of every string.
    fn poison(value: &mut Value, text: &str) {
        match value {
            Value::String(string) => *string = text.to_owned(),
            Value::Array(items) => items.iter_mut().for_each(|item| poison(item, text)),
            Value::Object(map) => map.values_mut().for_each(|item| poison(item, text)),
            _ => {}
        }
    }

    #[test]
    fn nothing_from_the_image_becomes_markup() {
        let long = "<b>\u{202e}".repeat(600);
        for evil in [
            "</style><script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onmouseover='alert(1)",
            "\" style=\"x",
            "a\u{202e}b\u{1b}[31m\r\n\u{200b}\u{0}c",
            "<!--",
            "&lt;script&gt;",
            "]]>`</code></pre>`",
            long.as_str(),
        ] {
            for keep_fates in [false, true] {
                let mut report = ordinary();
                let fates: Vec<Value> = report["findings"].as_array().expect("a list").iter().map(|f| f["fate"]["state"].clone()).collect();
                poison(&mut report, evil);
                if keep_fates {
                    for (at, state) in fates.into_iter().enumerate() {
                        report["findings"][at]["fate"]["state"] = state;
                        report["findings"][at]["location"]["kind"] = json!("file");
                        report["images"][at % 2]["kind"] = json!("image");
                    }
                }
                let page = page(report);
                check_markup(&page);
                let (_, body) = page.split_once("</style>").expect("a style");
                assert!(!body.contains("<script") && !body.contains("<img") && !body.contains(" style=\"") && !body.contains("<!--"));
                assert!(page.chars().all(|c| c == '\n' || crate::text::sanitise(c.encode_utf8(&mut [0; 4])).chars().eq([c])));
            }
        }
    }

    #[test]
    fn large_reports_are_cut_and_say_so() {
        let many = (0..3000).map(|at| finding(at, json!({"secret": {"redacted": "****", "length": 4, "group": at / 2}}))).collect();
        let page = page(report(vec![image(127)], many));
        assert!(page.len() < 1_000_000, "{}", page.len());
        check_markup(&page);
        for left in ["life lines are not shown here", "places are not shown here", "secrets are not shown here"] {
            assert!(page.contains(left), "{left}");
        }
        assert!(page.contains("<code>--format json</code>"));
    }

    #[test]
    fn links_lead_only_to_what_is_there() {
        let many = (0..700).map(|at| finding(at, json!({"secret": {"redacted": "****", "length": 4, "group": 1}}))).collect();
        let page = page(report(vec![image(3)], many));
        let ids: HashSet<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
        let links = page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
        links.for_each(|link| assert!(ids.contains(link), "#{link} leads nowhere"));
    }

    #[test]
    fn commands_are_for_a_shell_or_not_there() {
        let recover = |source: &str, id: &str| {
            let mut report = ordinary();
            report["images"][0]["source"] = json!(source);
            report["findings"][0]["id"] = json!(id);
            let report: Report = serde_json::from_value(report).expect("a report");
            let first: &FindingEntry = &report.findings[0];
            parts::recover(&report, first)
        };
        assert_eq!(recover("a b.tar", "3f-2").as_deref(), Some("pentimento recover 'a b.tar' 3f-2"));
        assert_eq!(recover("-", "3f").as_deref(), Some("pentimento recover image.tar 3f"));
        assert_eq!((recover("a\nb", "3f"), recover("a", "$(x)"), recover("a", "-x")), (None, None, None));
        assert!(
            page({
                let mut report = ordinary();
                report["images"][0]["source"] = json!("-");
                report
            })
            .contains("save it as <code>image.tar</code> first")
        );
    }
}
