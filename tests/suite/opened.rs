//! An encrypted secret and what opens it, in different files of one image.

use crate::support::{TestImage, put, rm, run_with};
use serde_json::Value;

fn hex(seed: &str, length: usize) -> String {
    let mut bytes = vec![0; length.div_ceil(2)];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..length].to_owned()
}

/// Rule, confidence and `opened_by` of what is reported.
fn found(image: &TestImage) -> Vec<(String, String, Value)> {
    let report = run_with(["scan", "-", "--format", "json"], &image.docker_save()).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = report["findings"].as_array().cloned().unwrap_or_default();
    list.iter().map(|f| (text(&f["rule"]), text(&f["confidence"]), f["facts"]["opened_by"].clone())).collect()
}

#[test]
fn jenkins_credentials_are_sure_where_both_keys_are_in_the_image() {
    let credential = format!("{{AQAAA{}{}==}}", "BAAAA", hex("credential", 62));
    let xml = put("var/jenkins_home/credentials.xml", format!("<password>{credential}</password>"));
    let master = put("var/jenkins_home/secrets/master.key", hex("master", 256));
    let mut bytes = vec![0; 272];
    blake3::Hasher::new().update(b"secret").finalize_xof().fill(&mut bytes);
    let secret = put("var/jenkins_home/secrets/hudson.util.Secret", bytes);
    let one = |rule: &str, keys: Value| (rule.to_owned(), "high".to_owned(), keys);

    let all =
        TestImage::new().layer([xml.clone()]).layer([master.clone(), secret.clone()]).layer([rm("var/jenkins_home/secrets/master.key")]);
    assert_eq!(
        found(&all),
        [
            one("jenkins-encrypted-credential", "jenkins-master-key, jenkins-secret-key".into()),
            one("jenkins-master-key", Value::Null),
            one("jenkins-secret-key", "jenkins-master-key".into()),
        ]
    );
    // Alone, neither says anything to anybody.
    assert_eq!(found(&TestImage::new().layer([xml.clone(), secret])), []);
    assert_eq!(found(&TestImage::new().layer([xml, master])), [one("jenkins-master-key", Value::Null)]);
}

#[test]
fn others_that_are_opened_by_a_file_beside_them() {
    let vault = format!("$ANSIBLE_{};1.1;AES256\n{}\n{}\n", "VAULT", hex("a", 80), hex("b", 60));
    let store = [
        &[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 2][..],
        b"ci",
        &[0; 8],
        &[0, 0, 0, 64],
        &hex("key", 64).into_bytes(),
        &[0, 0, 0, 0],
        &[9; 20],
    ];
    let base64 = |seed: &str, length: usize| hex(seed, length);
    for (rule, path, content, key, key_path, key_content) in [
        ("ansible-vault-text", "srv/vault.yml", vault.into_bytes(), "ansible-vault-password-file", "srv/.vault_pass", hex("pw", 20)),
        ("keystore-private-key", "srv/release.jks", store.concat(), "keystore-password", "srv/gradle.properties", {
            format!("storePassword={}\n", hex("pw", 20))
        }),
        (
            "rails-encrypted-credentials",
            "srv/config/credentials.yml.enc",
            format!("{}--{}--{}==", base64("c", 80), base64("i", 16), base64("t", 22)).into_bytes(),
            "rails-master-key",
            "srv/config/master.key",
            hex("rails", 32),
        ),
        (
            "maven-encrypted-password",
            "root/.m2/settings.xml",
            format!("<server><id>a</id><password>{{{}=}}</password></server>", base64("p", 43)).into_bytes(),
            "maven-master-password",
            "root/.m2/settings-security.xml",
            format!("<settingsSecurity><master>{{{}=}}</master></settingsSecurity>", base64("m", 43)),
        ),
    ] {
        let image = TestImage::new().layer([put(path, content)]).layer([put(key_path, key_content)]);
        let found = found(&image);
        let own = found.iter().find(|(id, ..)| id == rule);
        assert_eq!(own, Some(&(rule.to_owned(), "high".to_owned(), key.into())), "{found:?}");
        assert!(found.iter().any(|(id, ..)| id == key), "{found:?}");
    }
}

#[test]
fn every_rule_that_opens_another_exists() {
    let rules = pentimento::rules::RuleSet::builtin().expect("rules");
    for rule in rules.rules() {
        rule.opened_by.iter().for_each(|key| assert!(rules.get(key).is_some(), "{}: {key}", rule.id));
    }
}
