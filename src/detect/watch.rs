//! What the matcher made of a place, for whoever asks why something was not found.
//!
//! The matcher itself reports it, so that no second opinion can disagree. A scan does not ask: `()` watches nothing, and costs nothing.

use std::fmt;
use std::ops::Range;

/// Sees what the matcher refuses.
pub trait Watch {
    /// The rule does not take what stands at `place` of `text`.
    fn refused(&mut self, _rule: usize, _text: &[u8], _place: Range<usize>, _why: Refusal) {}

    /// What follows is in the text that `from` encodes.
    fn enter(&mut self, _coding: &'static str, _from: Range<usize>) {}

    /// The end of what an `enter` began.
    fn leave(&mut self) {}
}

impl Watch for () {}

/// Why a rule does not take a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// One of the rule's literals stands there, and what stands around it has not the rule's form.
    Form,
    /// It does not pass a gate.
    Gate(Gate),
    /// It has no long run of letters and digits with both in it, which all values of this form have.
    Plain,
    /// It continues a longer word.
    Continues,
    /// A file's name.
    File,
    /// The rule is meant for files of other paths.
    Path,
    /// One of the rule's own exceptions lets it pass.
    Excepted,
    /// It refers to a value that is kept elsewhere.
    Reference,
    /// The rule's check says that it is something else.
    Check,
    /// It is assigned to the right name, and is no secret.
    Assigned(&'static str),
    /// It stands behind the service's word, and what stands around it says that it is something else.
    Near,
    /// Another rule's match has some of the same bytes, and is the better one.
    Beaten(usize),
    /// What the text encodes says it better.
    Decoded,
    /// It is a part of a match of this rule.
    Part(usize),
}

/// A gate that was not passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// The field of `value` (RULES.md).
    pub name: &'static str,
    /// What the value has.
    pub has: f32,
    /// What the rule asks for.
    pub wants: f32,
}

impl Refusal {
    /// A word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Form => "form",
            Refusal::Gate(gate) => gate.name,
            Refusal::Plain => "plain",
            Refusal::Continues => "boundary",
            Refusal::File => "file",
            Refusal::Path => "path",
            Refusal::Excepted => "exception",
            Refusal::Reference => "reference",
            Refusal::Check => "check",
            Refusal::Assigned(_) => "assignment",
            Refusal::Near => "near",
            Refusal::Beaten(_) => "beaten",
            Refusal::Decoded => "decoded",
            Refusal::Part(_) => "part",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Refusal::Form => "a literal of the rule stands there, but what is around it does not match its regex",
            Refusal::Gate(gate) => return gate.fmt(f),
            Refusal::Plain => "it is all letters, or all digits, as values of this form never are",
            Refusal::Continues => "it continues a longer word",
            Refusal::File => "it is the name of a file",
            Refusal::Path => "the rule is meant for files of other paths",
            Refusal::Excepted => "an exception of the rule (`allow`, allowlist) lets it pass",
            Refusal::Reference => "it refers to a value that is kept elsewhere, or stands for one",
            Refusal::Check => "the check says that it is something else",
            Refusal::Assigned(why) => why,
            Refusal::Near => "it stands behind the service's word, but as a digest, a name or a part of something longer",
            Refusal::Beaten(_) => "another rule matches there, and is the surer or more specific one",
            Refusal::Decoded => "what it encodes says it better",
            Refusal::Part(_) => "it is told as a part of the secret beside it",
        })
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Gate { name, has, wants } = self;
        match *name {
            "min" => write!(f, "it has {has} bytes, and the rule asks for at least {wants}"),
            "max" => write!(f, "it has {has} bytes, and the rule allows at most {wants}"),
            "entropy" => write!(f, "its entropy is {has:.2} bits a byte, and the rule asks for {wants:.2}"),
            "changes" => write!(f, "of its neighbours {has:.2} are of different kinds, and the rule asks for {wants:.2}"),
            "digits" => f.write_str("it has no digit"),
            "letters" => f.write_str("it has no letter"),
            "upper" => f.write_str("it has no upper-case letter"),
            _ => f.write_str("it has no lower-case letter"),
        }
    }
}
