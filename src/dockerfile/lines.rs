//! The lines of a Dockerfile as its parser joins them: directives, comments, continuations, here-documents
//! (docs.docker.com/reference/dockerfile, "Format" and "Here-Documents").

use super::Wrong;

/// An instruction as it is written, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logical {
    /// Without the line ends, the comments and the empty lines in it.
    pub text: String,
    pub heredocs: Vec<Heredoc>,
    /// From 1.
    pub line: u64,
    pub end_line: u64,
}

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub name: String,
    /// Its lines, with the tabs in front of them.
    pub content: String,
}

/// All instructions.
pub fn logical(text: &str) -> Result<Vec<Logical>, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let physical: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let escape = escape(&physical);
    let (mut all, mut at) = (Vec::new(), 0);
    while at < physical.len() {
        let start = at;
        let first = physical[at].trim_start();
        at += 1;
        if is_comment(first) {
            continue;
        }
        let (part, mut more) = continued(first, escape);
        let (mut line, mut end) = (part.to_owned(), at);
        while more && at < physical.len() {
            let next = physical[at];
            at += 1;
            // Neither ends a continued line.
            if is_comment(next) || next.trim().is_empty() {
                continue;
            }
            let (part, again) = continued(next, escape);
            line.push_str(part);
            (more, end) = (again, at);
        }
        if line.trim().is_empty() {
            continue;
        }
        let mut heredocs = Vec::new();
        for (name, tabs) in names(&line, escape) {
            let read = heredoc(&physical[at..], &name, tabs);
            let (content, lines) = read.ok_or_else(|| Wrong { line: start as u64 + 1, why: "a here-document has no end".to_owned() })?;
            heredocs.push(Heredoc { name, content });
            at += lines;
            end = at;
        }
        all.push(Logical { text: line, heredocs, line: start as u64 + 1, end_line: end as u64 });
    }
    Ok(all)
}

/// The character that continues a line: `# escape=` in front of everything else may choose it.
fn escape(physical: &[&str]) -> char {
    for line in physical {
        let directive = line.strip_prefix('#').and_then(|rest| rest.split_once('='));
        let Some((name, value)) = directive.map(|(name, value)| (name.trim(), value.trim())) else { break };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric());
        if !is_name || value.is_empty() {
            break;
        }
        if name.eq_ignore_ascii_case("escape") {
            return if value == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// A line without the escape at its end, and whether there was one. An escape that is escaped is none.
fn continued(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest, true),
        _ => (line, false),
    }
}

/// The here-documents that a line begins, and whether tabs in front of their ends are left out.
fn names(line: &str, escape: char) -> Vec<(String, bool)> {
    let mut words = words(line, escape).into_iter();
    let mut keyword = words.next().unwrap_or_default();
    if keyword.eq_ignore_ascii_case("ONBUILD") {
        keyword = words.next().unwrap_or_default();
    }
    let may = ["RUN", "COPY", "ADD"].iter().any(|known| keyword.eq_ignore_ascii_case(known));
    let mut words = words.skip_while(|word| word.starts_with("--")).peekable();
    if !may || words.peek().is_some_and(|word| word.starts_with('[')) && super::list(line).is_some() {
        return Vec::new();
    }
    words.filter_map(|word| name(word, escape)).collect()
}

/// `3<<-"EOF"`: its name.
fn name(word: &str, escape: char) -> Option<(String, bool)> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let (rest, tabs) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    let name: String = rest.chars().filter(|c| !matches!(c, '"' | '\'') && *c != escape).collect();
    (!name.is_empty() && !rest.contains('<')).then_some((name, tabs))
}

/// Its content, and how many lines it takes with its end.
fn heredoc(physical: &[&str], name: &str, tabs: bool) -> Option<(String, usize)> {
    let ends = |line: &&str| name == if tabs { line.trim_start_matches('\t') } else { line };
    let end = physical.iter().position(ends)?;
    Some((physical[..end].iter().map(|line| format!("{line}\n")).collect(), end + 1))
}

/// The words of a line, with their quotes.
pub fn words(line: &str, escape: char) -> Vec<&str> {
    let (mut words, mut start, mut quote, mut escaped) = (Vec::new(), None, None, false);
    for (at, c) in line.char_indices() {
        if quote.is_none() && !escaped && c.is_whitespace() {
            words.extend(start.take().map(|start: usize| &line[start..at]));
            continue;
        }
        start = start.or(Some(at));
        match (c, quote) {
            _ if escaped => escaped = false,
            (c, Some('"') | None) if c == escape => escaped = true,
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    words.extend(start.map(|start| &line[start..]));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, u64, u64)> {
        logical(text).expect("lines").into_iter().map(|line| (line.text, line.line, line.end_line)).collect()
    }

    fn one(text: &str, line: u64, end: u64) -> (String, u64, u64) {
        (text.to_owned(), line, end)
    }

    #[test]
    fn lines_are_continued_over_comments_and_empty_lines() {
        let text = "\u{feff}# syntax=docker/dockerfile:1\r\nFROM a\r\n\n  # a comment \\\nRUN x && \\\n  # no end\n\n    y \\  \n  && z\n\\\nRUN w\n";
        assert_eq!(told(text), [one("FROM a", 2, 2), one("RUN x &&     y   && z", 5, 9), one("RUN w", 10, 11)]);
        assert_eq!(told("RUN a \\"), [one("RUN a ", 1, 1)]);
        assert_eq!(told("RUN a \\\\\nRUN b"), [one("RUN a \\\\", 1, 1), one("RUN b", 2, 2)]);
        assert_eq!(told("RUN a \\\n# c\n\n"), [one("RUN a ", 1, 1)]);
        assert_eq!(told("\n \t\n#\n"), []);
    }

    #[test]
    fn the_escape_may_be_another() {
        assert_eq!(told("# escape=`\nRUN dir c:\\\nRUN a `\nb"), [one("RUN dir c:\\", 2, 2), one("RUN a b", 3, 4)]);
        assert_eq!(told("#syntax = x\n# ESCAPE = `\nRUN a `\nb").len(), 1);
        // Behind a comment, an empty line or an instruction it is a comment.
        for text in ["# words\n# escape=`\nRUN a \\\nb", "\n# escape=`\nRUN a \\\nb", "FROM x\n# escape=`\nRUN a \\\nb"] {
            assert!(told(text).contains(&one("RUN a b", 3, 4)), "{text}");
        }
    }

    #[test]
    fn here_documents_belong_to_their_instruction() {
        let text = "RUN <<EOF\na\n# b \\\nEOF\nCOPY <<-\"A B\" 3<<'c' /x/\n\tone\n\tA B\n two\nc\nRUN x";
        let lines = logical(text).expect("lines");
        let heredocs: Vec<_> = lines.iter().map(|line| (line.line, line.end_line, line.heredocs.clone())).collect();
        let doc = |name: &str, content: &str| Heredoc { name: name.to_owned(), content: content.to_owned() };
        assert_eq!(
            heredocs,
            [(1, 4, vec![doc("EOF", "a\n# b \\\n")]), (5, 9, vec![doc("A B", "\tone\n"), doc("c", " two\n")]), (10, 10, vec![])]
        );
        assert_eq!(logical("ONBUILD RUN <<E\nx\nE\n").expect("lines")[0].heredocs.len(), 1);
        assert_eq!(logical("FROM a\nRUN <<EOF\nx\n").expect_err("no end").line, 2);
    }

    #[test]
    fn not_everything_with_two_angles_is_a_here_document() {
        for line in [
            "ENV A=<<EOF",
            "RUN echo \"<<EOF\"",
            "RUN cat <<<EOF",
            "RUN echo $((1<<2))",
            "RUN x << EOF",
            "RUN [\"cat\", \"<<EOF\"]",
            "RUN a<<EOF",
        ] {
            assert_eq!(told(line).len(), 1, "{line}");
        }
    }
}
