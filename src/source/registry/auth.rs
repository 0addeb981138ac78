//! Showing that we may read (distribution "Token Authentication"; RFC 7617, RFC 6750): a registry says in `WWW-Authenticate` what it wants.

use crate::net::{Ask, Client, Method, Reply, encoded};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use std::io;
use std::sync::Mutex;

/// The largest answer of a token service. In bytes.
const MOST: u64 = 1 << 20;

/// What shows who we are.
#[derive(Clone)]
pub enum Credential {
    /// A name and a password.
    Basic(String, String),
    /// A token that others are given for (`docker login` with a browser).
    Identity(String),
    /// A token that is shown as it is.
    Bearer(String),
}

/// Never shown.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

/// What a registry was shown, by scope.
pub struct Authority {
    credential: Option<Credential>,
    shown: Mutex<HashMap<String, String>>,
}

impl Authority {
    /// `credential` is what is known for the host, if anything is.
    pub fn new(credential: Option<Credential>) -> Authority {
        Authority { credential, shown: Mutex::default() }
    }

    /// Whether there is anything to show but tokens for everybody.
    pub fn is_anonymous(&self) -> bool {
        self.credential.is_none()
    }

    /// The header to send for `scope`, if one is known to be needed.
    pub fn header(&self, scope: &str) -> Option<String> {
        self.shown.lock().unwrap_or_else(|e| e.into_inner()).get(scope).cloned()
    }

    /// Answers a 401. `scope` is what we want to do. False: there is nothing to answer.
    pub fn answer(&self, client: &Client, reply: &Reply, scope: &str) -> io::Result<bool> {
        let challenges: Vec<Challenge> = reply.headers("www-authenticate").filter_map(Challenge::parse).collect();
        let known = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        let header = match (known("bearer"), known("basic"), &self.credential) {
            (Some(_), _, Some(Credential::Bearer(token))) => Some(format!("Bearer {token}")),
            (Some(challenge), _, credential) => Some(format!("Bearer {}", token(client, challenge, scope, credential.as_ref())?)),
            (None, Some(_), Some(Credential::Basic(name, password))) => Some(basic(name, password)),
            _ => None,
        };
        let answered = header.is_some();
        self.shown.lock().unwrap_or_else(|e| e.into_inner()).extend(header.map(|header| (scope.to_owned(), header)));
        Ok(answered)
    }
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// Asks the service that the registry names for a token.
fn token(client: &Client, challenge: &Challenge, scope: &str, credential: Option<&Credential>) -> io::Result<String> {
    let realm = challenge.parameter("realm").ok_or_else(|| io::Error::other("the registry does not say where tokens are had"))?;
    let mut query = vec![("scope", challenge.parameter("scope").unwrap_or(scope))];
    query.extend(challenge.parameter("service").map(|service| ("service", service)));
    let reply = match credential {
        Some(Credential::Identity(refresh)) => {
            query.extend([("grant_type", "refresh_token"), ("client_id", "pentimento"), ("refresh_token", refresh.as_str())]);
            let form = encoded(&query);
            client.ask(&Ask { method: Method::POST, url: realm, headers: &[], form: Some(&form) })?
        }
        _ => {
            let header = match credential {
                Some(Credential::Basic(name, password)) => Some(basic(name, password)),
                _ => None,
            };
            let headers: Vec<(&str, &str)> = header.iter().map(|header| ("authorization", header.as_str())).collect();
            let mark = if realm.contains('?') { '&' } else { '?' };
            client.ask(&Ask::get(&format!("{realm}{mark}{}", encoded(&query)), &headers))?
        }
    };
    if reply.status != 200 {
        return Err(denied(reply.status, credential.is_some()));
    }
    let answer: serde_json::Value =
        serde_json::from_slice(&reply.bytes(MOST)?).map_err(|_| io::Error::other("the token service's answer is not JSON"))?;
    let token = ["token", "access_token"].iter().find_map(|key| answer.get(key)?.as_str());
    token.map(str::to_owned).ok_or_else(|| io::Error::other("the token service's answer has no token"))
}

/// What to say where nothing we can show is enough.
pub fn denied(status: u16, shown: bool) -> io::Error {
    let why = match (status, shown) {
        (401 | 403, true) => "access is denied: what was found in the config of docker or podman, or was given, is not enough",
        (401 | 403, false) => "access is denied: log in (`docker login`, `podman login`), or use --username and --password-stdin",
        _ => "the service that gives tokens failed",
    };
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{why} (status {status})"))
}

/// What a server wants: a scheme and its parameters (RFC 9110, 11.6.1).
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// One challenge a header, as registries send them.
    fn parse(header: &str) -> Option<Challenge> {
        let (scheme, mut rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        let mut parameters = Vec::new();
        while let Some((name, value)) = rest.split_once('=') {
            let value = value.trim_start();
            let (value, more) = match value.strip_prefix('"') {
                Some(quoted) => quoted_string(quoted)?,
                None => value.split_once(',').map_or((value.trim().to_owned(), ""), |(value, more)| (value.trim().to_owned(), more)),
            };
            parameters.push((name.trim_matches([' ', ',']).to_ascii_lowercase(), value));
            rest = more.trim_start_matches([' ', ',']);
        }
        (!scheme.is_empty()).then(|| Challenge { scheme: scheme.to_owned(), parameters })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The string up to its closing quote, and what follows.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, &text[at + 1..])),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let text = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#;
        let challenge = Challenge::parse(text).unwrap();
        assert_eq!(challenge.scheme, "Bearer");
        assert_eq!(challenge.parameter("realm"), Some("https://auth.example/token"));
        assert_eq!(challenge.parameter("scope"), Some("repository:a/b:pull,push"));
        let challenge = Challenge::parse(r#"basic realm="a \"quoted\" one", charset=UTF-8"#).unwrap();
        assert_eq!(challenge.parameter("realm"), Some(r#"a "quoted" one"#));
        assert_eq!(challenge.parameter("charset"), Some("UTF-8"));
        assert!(Challenge::parse(r#"Bearer realm="open"#).is_none());
    }

    proptest::proptest! {
        /// Headers are a stranger's.
        #[test]
        fn no_header_is_too_odd(text in "[ -~]{0,60}", quoted in "[ -~\\PC]{0,40}") {
            for header in [text.clone(), format!("Bearer realm=\"{quoted}\",{text}"), format!("{text}=\"{quoted}")] {
                if let Some(challenge) = Challenge::parse(&header) {
                    proptest::prop_assert!(!challenge.scheme.is_empty());
                }
                let _ = super::super::api::next_page(&format!("<{header}>; {text}"));
            }
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let password = ["hun", "ter2"].concat();
        assert!(!format!("{:?}", Credential::Basic("me".to_owned(), password.clone())).contains(&password));
    }
}
