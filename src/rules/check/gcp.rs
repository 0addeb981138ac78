//! The key file of a Google service account: a JSON object, or its base64.

use super::{Answer, FactName, Outcome, decode_lenient, pem};
use serde_json::Value;

/// Its members fit each other, and its private key is one.
pub fn check(value: &[u8]) -> Answer {
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object);
    let Some(file) = parse(value).or_else(|| parse(&decode_lenient(value)?)) else {
        return Answer::invalid("does not decode to a JSON object");
    };
    let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("type") != "service_account" || text("private_key").is_empty() {
        return Answer::invalid("not the key file of a service account");
    }
    let id = text("private_key_id");
    let id_fits = id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let mut answer = pem::check(text("private_key").as_bytes());
    if matches!(answer.outcome, Outcome::Valid(_)) && (!id_fits || !text("client_email").ends_with("gserviceaccount.com")) {
        answer.outcome = Answer::invalid("id or address of the service account have not their form").outcome;
    }
    answer.with(FactName::Project, text("project_id")).with(FactName::User, text("client_email")).with(FactName::Id, id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::der;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_key_file() {
        let dash = "-".repeat(5);
        let key = format!(
            "{dash}BEGIN RSA PRIVATE KEY{dash}\n{}\n{dash}END RSA PRIVATE KEY{dash}\n",
            STANDARD.encode(der::tests::rsa(der::tests::MODULUS))
        );
        let email = "ci@acme.iam.gserviceaccount.com";
        let file = serde_json::json!({"type": "service_account", "project_id": "acme", "private_key_id": "0a".repeat(20), "private_key": key, "client_email": email});
        for text in [file.to_string(), STANDARD.encode(file.to_string())] {
            let answer = check(text.as_bytes());
            assert!(matches!(answer.outcome, Outcome::Valid(_)), "{answer:?}");
            assert_eq!(
                [FactName::Project, FactName::User, FactName::Key].map(|name| answer.fact(name)),
                [Some("acme"), Some(email), Some("RSA 64 bit")]
            );
        }
        for text in
            [file.to_string().replace("0a0a", "xx"), "{}".to_owned(), String::new(), file.to_string().replace("service_account", "user")]
        {
            assert!(matches!(check(text.as_bytes()).outcome, Outcome::Invalid(_)), "{text}");
        }
    }
}
