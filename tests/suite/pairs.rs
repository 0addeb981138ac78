//! What belongs together is one finding.

use crate::support::{TestImage, put, run_with};
use serde_json::Value;

fn findings(path: &str, content: &str) -> Vec<Value> {
    let image = TestImage::new().layer([put(path, content)]).docker_save();
    let report = run_with(["scan", "-", "--format", "json", "--show-secrets"], &image).json();
    report["findings"].as_array().cloned().unwrap_or_default()
}

/// Random digits and letters that look issued.
fn made(seed: &str, length: usize) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(blake3::hash(seed.as_bytes()).as_bytes());
    text.replace(['+', '/'], "x").chars().cycle().take(length).collect()
}

fn key_id(end: &str) -> String {
    format!("AKIA{}{end}", "Y34FZKBOKMUTVV7")
}

fn part<'a>(finding: &'a Value, name: &str) -> Option<&'a str> {
    finding["parts"].as_array()?.iter().find(|part| part["name"] == name)?["value"].as_str()
}

#[test]
fn an_access_key_is_one_finding_with_its_id() {
    let (first, second) = (made("first", 40), made("second", 40));
    let text = format!(
        "[one]\naws_access_key_id = {}\naws_secret_access_key = {first}\n\n[two]\naws_secret_access_key = {second}\naws_access_key_id = {}\n",
        key_id("A"),
        key_id("B")
    );
    let found = findings("root/.aws/credentials", &text);
    assert_eq!(found.len(), 2, "{found:#?}");
    for (secret, id) in [(&first, key_id("A")), (&second, key_id("B"))] {
        let own = found.iter().find(|f| f["secret"]["value"] == **secret).expect("the secret");
        assert_eq!((part(own, "access_key_id"), &own["confidence"]), (Some(&id[..]), &"high".into()));
        assert!(own["parts"][0]["redacted"].as_str().is_some_and(|shown| shown.starts_with("AKIA**")));
    }
    let alone = findings("root/.aws/credentials", &format!("aws_access_key_id = {}\n", key_id("A")));
    assert_eq!(alone[0]["rule"], "aws-access-key-id");
    let apart = format!("aws_access_key_id = {}\n{}aws_secret_access_key = {first}\n", key_id("A"), "# far\n".repeat(20));
    assert_eq!(findings("root/.aws/credentials", &apart).len(), 2);
}

#[test]
fn a_password_has_the_user_and_host_of_the_same_name() {
    let (db, smtp) = (made("db", 20), made("smtp", 20));
    let text = format!(
        "DB_HOST=db.acme.example\nDB_PORT=5432\nDB_USER=app\nDB_PASSWORD={db}\nSMTP_HOST=mail.acme.example\nSMTP_USER=post\nSMTP_PASSWORD={smtp}\n"
    );
    let found = findings("srv/.env", &text);
    for (secret, user, host) in [(&db, "app", "db.acme.example"), (&smtp, "post", "mail.acme.example")] {
        let own = found.iter().find(|f| f["secret"]["value"] == **secret).expect("the password");
        assert_eq!((&own["facts"]["user"], &own["facts"]["host"]), (&user.into(), &host.into()), "{own:#?}");
    }
}

#[test]
fn a_client_secret_has_its_client_and_tenant() {
    let (id, tenant) = ("4f6c7be1-27a0-4f0c-9d35-81c2e5a7b690", "90c1d2e3-5ab4-4c6d-8e7f-a0b1c2d3e4f5");
    let secret = made("client", 32);
    let text = format!(r#"{{"acmeTenantId":"{tenant}","acmeClientId":"{id}","acmeClientSecret":"{secret}"}}"#);
    let found = findings("srv/app.json", &text);
    assert_eq!((part(&found[0], "client_id"), part(&found[0], "tenant_id")), (Some(id), Some(tenant)), "{found:#?}");
    assert_eq!(found.len(), 1);
}

#[test]
fn files_and_urls_of_a_fixed_form_tell_user_and_host() {
    let password = made("password", 20);
    for (path, text) in [
        ("root/.netrc", format!("machine git.acme.example\n  login ci\n  password {password}\n")),
        ("root/.pgpass", format!("git.acme.example:5432:app:ci:{password}\n")),
        ("srv/app.conf", format!("url = https://ci:{password}@git.acme.example/app.git\n")),
        ("root/.my.cnf", format!("[client]\nhost = git.acme.example\nuser = ci\npassword = {password}\n")),
        ("root/.pypirc", format!("[acme]\nrepository = git.acme.example\nusername = ci\npassword = {password}\n")),
    ] {
        let found = findings(path, &text);
        assert_eq!(
            (&found[0]["facts"]["user"], &found[0]["facts"]["host"]),
            (&"ci".into(), &"git.acme.example".into()),
            "{path} {found:#?}"
        );
    }
}

#[test]
fn pairs_name_rules_that_are_there() {
    let rules = pentimento::rules::RuleSet::builtin().expect("rules");
    for pair in rules.pairs() {
        let of_companions = pair.with.iter().filter_map(|companion| match &companion.by {
            pentimento::rules::By::Rules(ids) => Some(ids),
            _ => None,
        });
        for id in of_companions.flatten().chain(&pair.rules) {
            assert!(rules.get(id).is_some(), "{id}");
        }
    }
}

#[test]
fn ids_of_other_services_are_parts_too() {
    let hex = |seed: &str, length: usize| blake3::hash(seed.as_bytes()).to_hex()[..length].to_owned();
    let account = format!("AC{}", hex("account", 32));
    let client = format!("{}-{}.apps.googleusercontent.com", "123456789012", made("client", 32).to_lowercase());
    let alibaba = format!("LTAI{}", made("alibaba", 20));
    for (path, text, secret, name, expected) in [
        ("srv/.env", format!("TWILIO_ACCOUNT_SID={account}\nTWILIO_AUTH_TOKEN={}\n", hex("t", 32)), hex("t", 32), "account_sid", &account),
        (
            "srv/client.json",
            format!("{{\"installed\":{{\"client_id\":\"{client}\",\"client_secret\":\"GOCSPX-{}\"}}}}", made("g", 28)),
            format!("GOCSPX-{}", made("g", 28)),
            "client_id",
            &client,
        ),
        (
            "srv/.env",
            format!("ALIBABA_CLOUD_ACCESS_KEY_ID={alibaba}\nALIBABA_CLOUD_ACCESS_KEY_SECRET={}\n", made("a", 30)),
            made("a", 30),
            "access_key_id",
            &alibaba,
        ),
    ] {
        let found = findings(path, &text);
        let own = found.iter().find(|f| f["secret"]["value"] == *secret).unwrap_or_else(|| panic!("{text}: {found:#?}"));
        assert_eq!(part(own, name), Some(&expected[..]), "{own:#?}");
        assert_eq!(found.len(), 1, "{found:#?}");
    }
    let settings = format!("<server>\n<id>releases</id>\n<username>ci</username>\n<password>{}</password>\n</server>", made("m", 20));
    let found = findings("root/.m2/settings.xml", &settings);
    assert_eq!((&found[0]["facts"]["id"], &found[0]["facts"]["user"]), (&"releases".into(), &"ci".into()), "{found:#?}");
}
