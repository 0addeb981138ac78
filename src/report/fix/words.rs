//! Words from an image on their way into a Dockerfile, a `.dockerignore` or a sentence. No line can be broken by them.

use super::FindingEntry;
use crate::image::history;
use crate::text::{sanitise, shorten};

/// The longest command that is repeated, in bytes.
const MOST: usize = 600;
/// What the redactor leaves of more than one value.
const STARS: &str = "********";

/// For a sentence that puts it between backquotes.
pub fn shown(text: &str) -> String {
    shorten(&sanitise(text), 120).replace('`', "'")
}

/// An instruction for a sentence. None where the report has values: it may hold one.
pub fn quoted(finding: &FindingEntry, instruction: Option<&str>) -> Option<String> {
    let text = instruction.filter(|text| finding.secret.value.is_none() && !text.is_empty())?;
    Some(format!("`{}`", shown(&history::instruction(text, ""))))
}

/// The id of a build secret, from the name of a variable or a file.
pub fn id(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c.to_ascii_lowercase() } else { '_' };
    let id: String = name.chars().take(40).map(safe).collect();
    let id = id.trim_matches(['.', '-', '_']);
    if id.is_empty() { "secret".to_owned() } else { id.to_owned() }
}

/// The name of an environment variable.
pub fn variable(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = name.chars().take(64).map(safe).collect();
    match name.chars().next() {
        None => "SECRET".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        Some(_) => name,
    }
}

/// One name as a pattern of a `.dockerignore`: what means something in patterns is escaped, and what no line can hold is `?`.
pub fn pattern(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().take(200) {
        match c {
            '*' | '?' | '[' | ']' | '\\' => out.extend(['\\', c]),
            c if sanitise(c.encode_utf8(&mut [0; 4])).chars().eq([c]) => out.push(c),
            _ => out.push('?'),
        }
    }
    if name.chars().count() > 200 {
        out.push('*');
    }
    // White space at the end of a line is cut off.
    if out.ends_with(char::is_whitespace) { format!("{}?", out.trim_end()) } else { out }
}

/// A path that an option `--mount` can hold: it is a line of CSV.
pub fn path_in_mount(path: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-@+".contains(&b);
    (path.starts_with('/') && path.len() <= 200 && path.bytes().all(plain)).then_some(path)
}

/// What RUN ran, as one line that means the same in a Dockerfile. None where there is none: it has line breaks or a here-document, is
/// long, or would go on in the next line. None also where the report has values.
pub fn command(finding: &FindingEntry) -> Option<String> {
    let text = match (&finding.instruction, &finding.instructions[..]) {
        (Some(text), _) => text,
        (None, [only]) => only,
        _ => return None,
    };
    let text = history::instruction(text, "");
    let text = text.strip_prefix("ONBUILD ").unwrap_or(&text).strip_prefix("RUN ")?;
    let folded = text.split(['\t', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let safe = finding.secret.value.is_none()
        && folded.len() <= MOST
        && !folded.starts_with(['[', '-', '|'])
        && !folded.contains("<<")
        && !folded.ends_with(['\\', '`', '…'])
        && sanitise(&folded) == folded;
    (safe && !folded.is_empty()).then_some(folded)
}

/// Where the redacted value stands.
fn spot(text: &str, redacted: &str) -> Option<(usize, usize)> {
    let whole = Some(redacted).filter(|value| value.contains("**")).and_then(|value| Some((text.find(value)?, value.len())));
    whole.or_else(|| Some((text.find(STARS)?, STARS.len()))).map(|(at, length)| (at, at + length))
}

/// `TOKEN=****`, `--token ****`, `_authToken=****`: the name in front of the value.
pub fn name_before(finding: &FindingEntry) -> Option<String> {
    let text = command(finding)?;
    let (at, _) = spot(&text, &finding.secret.redacted)?;
    let before = text[..at].trim_end_matches(['"', '\'', ' ']);
    let word = before.rsplit([' ', '"', '\'', ';', '&', '|', ':', '/']).next()?;
    let name = word.strip_suffix('=').or_else(|| word.strip_prefix("--").filter(|_| !word.contains('=')))?;
    let name = name.rsplit('=').next()?.trim_start_matches('-');
    (!name.is_empty() && name.len() <= 64).then(|| variable(name).trim_matches('_').to_ascii_uppercase()).filter(|name| !name.is_empty())
}

/// The command with a variable wherever it had the value, quoted as that place needs.
pub fn with_variable(command: &str, redacted: &str, name: &str) -> String {
    let (mut out, mut quote, mut rest) = (String::new(), None, command);
    while let Some((at, end)) = spot(rest, redacted) {
        let (mut escaped, before) = (false, &rest[..at]);
        for c in before.chars() {
            match (quote, c) {
                _ if escaped => escaped = false,
                (None | Some('"'), '\\') => escaped = true,
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if c == open => quote = None,
                _ => {}
            }
        }
        out.push_str(before);
        out.push_str(&match quote {
            None => format!("\"${{{name}}}\""),
            Some('"') => format!("${{{name}}}"),
            Some(_) => format!("'\"${{{name}}}\"'"),
        });
        rest = &rest[end..];
    }
    out + rest
}

/// `git clone https://user:****@host/group/project.git`: the same over ssh.
pub fn over_ssh(command: &str, redacted: &str) -> Option<String> {
    let (at, end) = spot(command, redacted)?;
    let scheme = command[..at].rfind("://").filter(|scheme| !command[*scheme..at].contains(' '))?;
    let start = command[..scheme].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '+').map_or(0, |before| before + 1);
    let host = end + command[end..].find('@').filter(|gap| !command[end..end + gap].contains([' ', '/', '"', '\'']))? + 1;
    let stop = command[host..].find([' ', '"', '\'', ';', '&', '|', ')']).map_or(command.len(), |length| host + length);
    let (name, path) = command[host..stop].split_once('/')?;
    let name = name.split(':').next()?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/~".contains(&b));
    (command[..start].contains("git ") && plain(name) && plain(path))
        .then(|| format!("{}git@{name}:{path}{}", &command[..start], &command[stop..]))
}

/// `echo **** > file`: the file.
pub fn written_to(command: &str, redacted: &str) -> Option<String> {
    let (at, end) = spot(command, redacted)?;
    let begin = command[..at].rfind([';', '&', '|']).map_or(0, |before| before + 1);
    let first = command[begin..at].trim_start();
    let rest = command[end..].split(';').next()?.split("&&").next()?;
    let (_, target) = rest.split_once('>').or_else(|| rest.split_once("tee "))?;
    let path = target.trim_start_matches(['>', ' ']).trim_start_matches("-a ").split([' ', ')', '|']).next()?.trim_matches(['"', '\'']);
    (["echo", "printf"].iter().any(|word| first.starts_with(word)) && !path.is_empty() && !path.starts_with('&')).then(|| path.to_owned())
}

/// `mv /app/key /root/id_rsa`: the first, where `path` is the second.
pub fn moved_from(command: &str, path: &str) -> Option<String> {
    let simple = command.split("&&").map(str::trim).find(|part| part.starts_with("mv ") || part.starts_with("cp "))?;
    let words: Vec<&str> = simple.split(' ').skip(1).filter(|word| !word.starts_with('-')).collect();
    match words[..] {
        [from, to] if to.trim_start_matches('/') == path || path.starts_with(&format!("{}/", to.trim_matches('/'))) => {
            Some(from.trim_start_matches('/').to_owned())
        }
        _ => None,
    }
}

/// The file of the build context that COPY or ADD gave another name: `COPY prod.env /app/.env`.
pub fn renamed(instruction: &str, path: &str) -> Option<String> {
    let words: Vec<&str> = instruction.split(' ').skip(1).filter(|word| !word.is_empty() && !word.starts_with("--")).collect();
    match words[..] {
        [from, to] if to.trim_start_matches('/') == path && !from.contains(['*', '?', '[']) => {
            Some(from.trim_start_matches('/').to_owned())
        }
        _ => None,
    }
}
