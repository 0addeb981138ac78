//! Values that stand for a secret and are none: references, templates, documentation's inventions.

use super::value;

/// A reference to a value that is kept elsewhere (`${X}`, `{{ x }}`, `%(x)s`, `$(cmd)`, `<your key>`, `process.env.X`), or nothing.
pub fn is_reference(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let braces = ["${", "$(", "{{", "{%", "%(", "#{", "<%", "@{", "$["];
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
    ];
    if !lower.starts_with(b"-----begin") && WORDS.iter().any(|word| text.contains(word)) {
        return Some("looks like a placeholder");
    }
    if lower.ends_with(b"...") {
        return Some("cut short, as in a document");
    }
    let longest_run = value.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap_or(0);
    if longest_run >= 6 && longest_run * 3 >= value.len() {
        return Some("one character repeated");
    }
    None
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
            "",
            "$(cat /x)",
            "%PASS%",
        ] {
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
    }
}
