//! What the matcher finds beyond tokens with a prefix: services by word and form, encoded texts, facts.

use crate::support::{TestImage, put, run_with, token};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The findings of one file with this content.
fn findings(content: impl Into<Vec<u8>>) -> Vec<Value> {
    findings_from(content, "medium")
}

fn findings_from(content: impl Into<Vec<u8>>, confidence: &str) -> Vec<Value> {
    findings_in("srv/app.conf", content, confidence)
}

fn findings_in(path: &str, content: impl Into<Vec<u8>>, confidence: &str) -> Vec<Value> {
    let content: Vec<u8> = content.into();
    let image = TestImage::new().layer([put(path, content)]).docker_save();
    run_with(["scan", "-", "--format", "json", "--show-secrets", "--min-confidence", confidence], &image).json()["findings"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn values(findings: &[Value]) -> Vec<&str> {
    findings.iter().filter_map(|f| f["secret"]["value"].as_str()).collect()
}

#[test]
fn encoded_secrets_are_found_where_their_text_begins() {
    let secret = token("encoded");
    let text = format!("user: ci\ntoken: {secret}\nand enough text that it takes more than one line of base64\n");
    let base64 = STANDARD.encode(&text);
    let lines: Vec<&str> = base64.as_bytes().chunks(76).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let twice = STANDARD.encode(STANDARD.encode(&text));
    let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    let escaped = format!("next=%2Fa%3Ftoken%3D{secret}%26b");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, inner) in [
        (format!("a\ndata: {base64}\n").into_bytes(), vec!["base64"]),
        (format!("a\ndata: |\n  {}\nb: 1\n", lines.join("\n  ")).into_bytes(), vec!["base64"]),
        (format!("a\n{twice}").into_bytes(), vec!["base64", "base64"]),
        (format!("a\n{hex}\n").into_bytes(), vec!["hex"]),
        ([&b"\xff\xfe"[..], &wide].concat(), vec!["utf-16le"]),
    ] {
        let found = findings(content);
        assert_eq!(values(&found), [&secret], "{inner:?}");
        assert_eq!(found[0]["location"]["inner"], serde_json::json!(inner));
        assert_eq!(found[0]["parts"][0]["name"], "encoded");
        let line = if inner == ["utf-16le"] || inner == ["base64"] && found[0]["location"]["line"] == 3 { continue } else { 2 };
        assert_eq!(found[0]["location"]["line"], line, "{inner:?}");
    }
    assert!(values(&findings(escaped)).contains(&&secret[..]));
}

#[test]
fn an_encoded_secret_is_found_on_every_boundary_of_a_window() {
    let secret = token("boundary");
    let encoded = STANDARD.encode(format!("token = {secret}\n"));
    for shift in [1 << 20, (1 << 20) - 26_000, (1 << 20) - 53_000] {
        for step in (0..200).step_by(13) {
            let content = format!("{}\n{encoded}\n{}", "x y\n".repeat((shift - 100 + step) / 4), "z\n".repeat(60_000));
            assert_eq!(values(&findings(content)), [&secret], "{shift} {step}");
        }
    }
}

#[test]
fn a_key_is_told_by_the_word_of_its_service() {
    let key = pentimento::digest::hex(blake3::hash(b"service").as_bytes())[..32].to_owned();
    let rule = |text: &str, confidence: &str| {
        findings_from(text.replace("{}", &key), confidence).first().map(|f| f["rule"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(rule("weatherbit_key = {}", "medium").as_deref(), Some("weatherbit-key"));
    assert_eq!(rule("https://api.weatherbit.io/v2.0/current?key={}", "medium").as_deref(), Some("weatherbit-key"));
    for nothing in ["weatherbit sha256:{}", "weatherbit/commit/{}", "pweatherbit@{}", "{}"] {
        assert_eq!(rule(nothing, "low"), None, "{nothing}");
    }
}

#[test]
fn what_a_secret_says_about_itself_is_told() {
    let id = format!("ASIA{}", "Y34FZKBOKMUTVV7A");
    let found = findings(format!("aws_access_key_id = {id}\n"));
    assert_eq!(found[0]["facts"]["account"], "609629065308", "{found:#?}");
    let basic = STANDARD.encode("deploy:q8Zr3vT1xW");
    let found = findings(format!("Authorization: Basic {basic}\n"));
    assert_eq!(found[0]["facts"]["user"], "deploy", "{found:#?}");
}

#[test]
fn what_is_stuck_to_a_token_does_not_hide_it() {
    let secret = token("stuck");
    assert_eq!(values(&findings(format!("{secret}{secret}"))).first(), Some(&&secret[..]));
    assert_eq!(values(&findings(format!("x={secret}extra"))).first(), Some(&&secret[..]));
}

#[test]
fn every_value_of_a_kubernetes_secret_is_a_secret() {
    let rules = |found: &[Value]| found.iter().map(|f| f["rule"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>();
    let (plain, secret) = (STANDARD.encode("two words"), token("kubernetes"));
    let encoded = STANDARD.encode(format!("the token is {secret}"));
    let yaml = format!(
        "apiVersion: v1\nkind: Secret\ndata:\n  anything: {plain}\n  other: {encoded}\n  ca.crt: {}\nstringData:\n  x: ${{X}}\n",
        STANDARD.encode("-----BEGIN CERTIFICATE-----\n")
    );
    let found = findings(yaml);
    assert_eq!(values(&found), [&secret, &plain], "the surer first");
    assert_eq!(rules(&found)[1], "kubernetes-secret-value");
    let json = format!(r#"{{"data":{{"anything":"{plain}"}},"kind":"Secret"}}"#);
    assert_eq!(values(&findings(json.clone())), [&plain]);
    for kind in ["ConfigMap", "SealedSecret", "SecretList"] {
        assert_eq!(findings_from(json.replace("\"Secret\"", &format!("\"{kind}\"")), "low"), Vec::<Value>::new(), "{kind}");
    }
}

#[test]
fn what_speaks_against_a_value() {
    let found = |path: &str, text: &str| findings_in(path, text.as_bytes(), "medium").len();
    let value = pentimento::digest::hex(blake3::hash(b"against").as_bytes())[..30].to_owned();
    assert_eq!(found(".env", &format!("API_TOKEN={value}")), 1);
    let token_of_another_form = format!("API_TOKEN={}_{value}", "github_pat");
    for doubtful in [&format!("FAKE_API_TOKEN={value}")[..], &format!("nextPageToken={value}"), &token_of_another_form] {
        assert_eq!(found(".env", doubtful), 0, "{doubtful}");
        assert_eq!(findings_from(doubtful.as_bytes(), "low").len(), 1, "{doubtful}");
    }
    for word in ["password = 's3cr3tw0rd!'", "password = 'bazquux'"] {
        assert_eq!([found("srv/app.conf", word), found("srv/README.md", word), found("srv/app.py", word)], [1, 0, 0], "{word}");
    }
    let session = value.repeat(40);
    assert_eq!(values(&findings(format!("AWS_SESSION_TOKEN=\"{session}\""))), [&session]);
}

#[test]
fn a_part_of_a_digest_is_no_token_though_it_begins_like_one() {
    let digest = format!("11c1c94b3452{}77e87df13305c6153e53417419b16d39350d2cf0c48c020d", "4b1d");
    let image = TestImage::new().layer([put(&format!("srv/{digest}/x"), [&[0, 1, 2], digest.as_bytes(), &[0]].concat())]).docker_save();
    assert_eq!(run_with(["scan", "-", "--format", "json"], &image).json()["findings"], serde_json::json!([]));
}

/// In a program, names stand beside each other.
#[test]
fn what_symbols_and_joined_words_look_like_is_no_token() {
    let symbol = ["_ZN4core4sync6atomic28atomic_compa", "re_exchange_weak17h", "36fe37c98f56da5bE"].concat();
    let joined = ["gp_offse", "tfp_offsetoverflow_arg_areareg_save_area", "EncodeWide"].concat();
    let header = ["Authorization: Bearer required", "awssdk.restxml.UnmarshalMetabackend"].concat();
    for text in [symbol, joined, header] {
        let program = [b"\0\x01\x02", text.as_bytes(), b"\0\x03\0"].concat();
        assert_eq!(findings(program), Vec::<Value>::new(), "{text}");
    }
}

/// As in the strings of a Go program, where one follows the other without a gap.
#[test]
fn a_token_behind_a_word_in_a_program_is_one() {
    let hex = |seed: &str, length: usize| pentimento::digest::hex(blake3::hash(seed.as_bytes()).as_bytes())[..length].to_owned();
    for (prefix, length) in [("sbp_", 40), ("sgp_", 40), ("pul-", 40)] {
        let program = [b"\x7fELF\x02\x01\0", format!("invalid argument{prefix}{}", hex(prefix, length)).as_bytes(), b"\0\0\x01"].concat();
        assert_eq!(findings(program).len(), 1, "{prefix}");
    }
}
