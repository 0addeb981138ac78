//! Values that stand for a secret and are none: references, templates, documentation's inventions.

use super::value;
use crate::rules::check::decode_lenient;
use crate::text::percent_decode;

/// A reference to a value that is kept elsewhere (`${X}`, `{{ x }}`, `%(x)s`, `$(cmd)`, `<your key>`, `process.env.X`), a regular expression that
/// looks for one (`(?:…)`), or nothing.
pub fn is_reference(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    let text = text.trim();
    // A shell closes a quote, puts a reference, and goes on.
    let text = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    let braces = ["${", "$(", "{{", "{%", "%(", "#{", "<%", "@{", "$[", "(?:", "(?i", "(?P<"];
    let begins = [
        "process.env",
        "os.environ",
        "os.getenv",
        "env.",
        "env[",
        "getenv",
        "system.getenv",
        "secrets.",
        "vault:",
        "ref+",
        "ssm:",
        "arn:aws:",
        "op://",
        "keyring:",
    ];
    text.is_empty()
        || braces.iter().any(|b| text.contains(b))
        || begins.iter().any(|b| lower.starts_with(b))
        || text.starts_with('$')
            && text[1..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
            && !lower.starts_with("$2")
        || text.starts_with('$') && is_constant_and_more(&text[1..])
        || text.starts_with('<') && text.ends_with('>')
        || holds_braced_name(text)
        || text.strip_prefix('@').is_some_and(|rest| rest.split(['@', '/']).all(is_constant))
        || text
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-. ".contains(&b)))
        || text.starts_with('[') && text.ends_with(']')
        || text.starts_with('%') && text.ends_with('%')
        || text.starts_with("__") && text.ends_with("__")
        || text.starts_with('@') && text.ends_with('@')
        || matches!(lower.as_str(), "%s" | "%d" | "%v" | "%q" | "{}" | "{0}" | "%r" | "?")
}

/// A word in capitals, as templates name what they stand for.
fn is_constant(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// `NAME/…`: a variable, and what follows it.
fn is_constant_and_more(text: &str) -> bool {
    let name = text.bytes().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_').count();
    name >= 3 && !text.starts_with(|c: char| c.is_ascii_digit()) && text[name..].starts_with(['/', '.', ':', '-'])
}

/// `{name}` somewhere in the text: a format string. LDAP writes the scheme of a hash like that (RFC 2307).
fn holds_braced_name(text: &str) -> bool {
    if ["{SSHA", "{SHA", "{SMD5", "{MD5", "{CRYPT", "{PBKDF2"].iter().any(|scheme| text.starts_with(scheme)) {
        return false;
    }
    text.match_indices('{').any(|(at, _)| {
        let name = text[at + 1..].bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'_').count();
        name >= 3 && text[at + 1 + name..].starts_with('}')
    })
}

/// Words that mean "no value" or a type.
pub fn is_keyword(value: &[u8]) -> bool {
    let word = value.trim_ascii_end().strip_suffix(b",").unwrap_or(value);
    let lower = word.to_ascii_lowercase();
    const WORDS: &[&str] = &[
        "null",
        "none",
        "nil",
        "undefined",
        "true",
        "false",
        "yes",
        "no",
        "string",
        "str",
        "bytes",
        "int",
        "integer",
        "bool",
        "boolean",
        "number",
        "object",
        "any",
        "empty",
        "void",
        "required",
        "optional",
        "unset",
        "disabled",
        "enabled",
        "nan",
        "array",
        "float",
        "self",
        "this",
        "password",
        "passwd",
        "secret",
        "token",
        "default",
        "static",
        "function",
        "return",
        "prompt",
        "hidden",
        "masked",
        "removed",
        "private",
        "public",
        "text",
        "input",
    ];
    WORDS.iter().any(|word| word.as_bytes() == lower)
}

/// Why a value looks as if somebody made it up for a document or a template.
pub fn looks_invented(value: &[u8]) -> Option<&'static str> {
    let lower = value.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&lower);
    const WORDS: &[&str] = &[
        "example",
        "changeme",
        "change_me",
        "change-me",
        "placeholder",
        "your_",
        "your-",
        "yourpass",
        "yoursecret",
        "yourtoken",
        "yourkey",
        "yourapi",
        "redacted",
        "dummy",
        "insert_",
        "insert-",
        "replace_me",
        "replaceme",
        "replace-me",
        "fake",
        "invalid",
        "sample_",
        "todo",
        "foobar",
        "foo_bar",
        "xxxxx",
        "*****",
        ".....",
        "-----x",
        "00000000",
        "12345678",
        "abcdefgh",
        "deadbeef",
        "not-a-real",
        "notarealsecret",
        "enter_your",
        "my_secret_",
        ".signature",
        "hunter2",
        "qwerty",
        "sensitive",
    ];
    if !lower.starts_with(b"-----begin") && WORDS.iter().any(|word| text.contains(word)) {
        return Some("looks like a placeholder");
    }
    if lower.ends_with(b"...") || is_header_of_token(value) {
        return Some("cut short, as in a document");
    }
    // The alphabet, or digits as one counts.
    let ascending = value.chunk_by(|a, b| a.is_ascii_alphanumeric() && a.checked_add(1) == Some(*b)).map(<[u8]>::len).max().unwrap_or(0);
    if ascending >= 8 {
        return Some("a part of the alphabet");
    }
    let longest_run = value.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap_or(0);
    if longest_run >= 6 && longest_run * 3 >= value.len() {
        return Some("one character repeated");
    }
    None
}

/// The first part of a JSON web token, which is the same in a million of them.
fn is_header_of_token(value: &[u8]) -> bool {
    value.starts_with(b"eyJ")
        && value.len() <= 128
        && decode_lenient(value).is_some_and(|json| json.ends_with(b"}") && value::holds_any(&json, &[b"\"alg\"", b"\"typ\""]))
}

/// Why a value without a form of its own (a password in a URL, say) may be a word that somebody wrote for a document.
pub fn looks_like_word(value: &[u8]) -> Option<&'static str> {
    if is_keyword(value) {
        return Some("a word that means no value");
    }
    let lower = value.to_ascii_lowercase();
    if value::holds_any(&lower, &[b"pass", b"pwd", b"secret"]) {
        return Some("the value says that it is a password");
    }
    let letters = value.iter().all(u8::is_ascii_alphabetic);
    if letters && (value.len() <= 5 || is_everyday(&lower)) {
        return Some("the value looks like a word");
    }
    None
}

/// The same for a value as it stands in a URL, or on a command line; `shown` if it is in the text of a program or a document.
pub fn looks_chosen(value: &[u8], shown: bool) -> Option<&'static str> {
    let decoded = percent_decode(value);
    if decoded.len() < 4 {
        return Some("too short to be kept secret");
    }
    if decoded.iter().any(u8::is_ascii_control) {
        return Some("no text");
    }
    let word = || looks_like_word(&plain_letters(&decoded)).or(decoded.iter().all(u8::is_ascii_lowercase).then_some("a word"));
    let chosen = looks_like_word(&decoded).filter(|_| shown || !is_disguised(&decoded));
    chosen.or_else(|| if shown { word() } else { None })
}

/// A word that is written with digits or signs among its letters, as people choose passwords that are in use: `p@ssw0rd`.
fn is_disguised(value: &[u8]) -> bool {
    let end = value.iter().rposition(u8::is_ascii_alphabetic).unwrap_or(0);
    value[..end].iter().any(|b| b.is_ascii_digit() || b.is_ascii_punctuation() && !b"._-/".contains(b))
}

/// A word as it is said, where digits and signs stand for letters: `p@ssw0rd`, `s3cret`. Escapes of a program (`\u0438`) are letters,
/// and what follows the word is left out.
pub fn plain_letters(value: &[u8]) -> Vec<u8> {
    let (mut plain, mut at) = (Vec::with_capacity(value.len()), 0);
    while at < value.len() {
        let escape = value[at] == b'\\' && value.get(at + 1) == Some(&b'u') && value.len() >= at + 6;
        plain.push(match value[at] {
            _ if escape => b'u',
            b'0' => b'o',
            b'1' | b'!' => b'i',
            b'3' => b'e',
            b'4' | b'@' => b'a',
            b'5' | b'$' => b's',
            b'7' => b't',
            other => other.to_ascii_lowercase(),
        });
        at += if escape { 6 } else { 1 };
    }
    let end = value.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |last| plain.len().saturating_sub(value.len() - 1 - last));
    plain.truncate(end);
    plain
}

/// True for words that programs and documents assign to anything.
fn is_everyday(lower: &[u8]) -> bool {
    const WORDS: &str = "access account action active address admin administrator always anonymous another answer application argument \
        attribute authorization author available backend before binary browser button callback cancel change character client cluster \
        column command comment common component config configuration confirm connection console constant contact content context control \
        cookie correct create credentials current custom database default define delete description desktop destination details device \
        dialog different directory display document domain duplicate dynamic editor element encrypted encryption endpoint english entry \
        environment error event example exception execute expected expired export external failed failure feature field filename filter \
        folder format forward foobar frontend function general generate global handler header hidden history ignore image import incorrect \
        index information initial inline inside instance integer interface internal invalid javascript keyboard keyword language latest \
        length letter library license listener loading local localhost location locked logging machine manager manual master matching \
        member memory message metadata method minimum missing mobile module monitor multiple myself mysite native network nobody normal \
        nothing notice number object online operation operator option optional options origin original output package parameter parent \
        pattern payload people permission person personal placeholder platform please plugin policy position postgres prefix previous \
        primary priority process product profile program project prompt property protected protocol provider python query random reader \
        record redirect reference refresh regular release remote remove repeat replace report request required reserved reset resource \
        response restricted result return revoked router runtime sample schema scope script search section security select selected \
        sender server service session setting settings signature simple single something source special standard started state static \
        status storage strict string strong structure submit success suffers suffix summary support switch symbol system table target \
        template temporary testing textarea textbox theme ticket timeout timestamp title toggle topic trigger twisted undefined unencrypted \
        unique unknown unlocked update upload useful username utility validate validation value variable verify version visible warning \
        website welcome widget window wizard wordpress wrapper writer wrong";
    WORDS.split_ascii_whitespace().any(|word| word.as_bytes() == lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_values() {
        for reference in [
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "{{ db.password }}",
            "%(password)s",
            "<your password>",
            "process.env.KEY",
            "key)(?:[a-z]|b)?[",
            "",
            "$(cat /x)",
            "%PASS%",
        ] {
            assert!(is_reference(reference.as_bytes()), "{reference}");
        }
        for reference in ["$BASE_URL/forgot", "'$OTHER'"] {
            assert!(is_reference(reference.as_bytes()), "{reference}");
        }
        for value in ["hunter2", "$2b$10$abc", "pa$$word1", "{short"] {
            assert!(!is_reference(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn inventions() {
        assert!(looks_invented(b"changeme").is_some());
        assert!(looks_invented(b"xoxb-xxxxxxxxxxxx").is_some());
        assert!(looks_invented(b"kR8vLq2ZnW4").is_none());
        assert!(looks_invented(b"LMNOPQRSTUV9999").is_some());
        assert!(looks_invented(b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9").is_some());
        assert!(["abc", "%00%00%00%00", "secret"].iter().all(|value| looks_chosen(value.as_bytes(), false).is_some()));
        assert!(looks_chosen(b"passw0rd", false).is_none() && looks_chosen(b"passw0rd", true).is_some());
        assert!(looks_chosen(b"password1", false).is_some());
        assert!(looks_chosen(b"p%40ss", false).is_none() && looks_chosen(b"p%40ss", true).is_some());
        assert_eq!(plain_letters(b"S3cr3t!1"), b"secret");
        assert_eq!(plain_letters(b"\\u0418secret"), b"usecret");
    }
}
