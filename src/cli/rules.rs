//! `pentimento rules`.

use anyhow::{Result, bail};
use pentimento::detect::examples;
use pentimento::rules::{Reach, Rule, RuleSet};
use pentimento::text::sanitise;
use std::fmt::Write;
use std::path::PathBuf;

/// Sub-commands of `rules`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// All rules: id, severity, title
    List {
        /// Add the rules of a file or directory
        #[arg(long, value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// One rule: what it matches, examples, how to revoke
    Show {
        /// Its id
        id: String,
        /// Add the rules of a file or directory
        #[arg(long, value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// Say of a text why each candidate in it is reported or not
    Explain(super::explain::Args),
    /// Compile rules and run their examples; without a path, the built-in ones
    Check {
        /// A rule file, or a directory of them
        path: Option<PathBuf>,
    },
}

/// Runs the command and returns the exit code.
pub fn run(command: &Command) -> Result<u8> {
    let with = |paths: &[PathBuf]| rule_set(paths, &[]);
    match command {
        Command::List { rules } => list(&with(rules)?),
        Command::Show { id, rules } => match with(rules)?.get(id) {
            Some(rule) => show(rule),
            None => bail!("there is no rule {id}: `pentimento rules list` shows them"),
        },
        Command::Explain(args) => super::explain::run(args),
        Command::Check { path } => return check(path.as_ref()),
    }
    .map(|()| 0)
}

/// The built-in rules with those of `paths`, without those of these ids.
pub fn rule_set(paths: &[PathBuf], disabled: &[String]) -> Result<RuleSet> {
    let rules = paths.iter().try_fold(RuleSet::builtin()?, |rules, path| rules.with_path(path))?;
    tell(&rules);
    Ok(disabled.iter().try_fold(rules, |rules, id| rules.without(id))?)
}

/// Says on standard error what of imported rule files cannot be honoured.
fn tell(rules: &RuleSet) {
    for remark in rules.remarks() {
        eprintln!("pentimento: {}", sanitise(remark));
    }
}

fn list(rules: &RuleSet) -> Result<()> {
    let mut text = String::new();
    for rule in rules.rules() {
        writeln!(text, "{:<36} {:<8} {}", rule.id, rule.severity.as_str(), sanitise(&rule.title))?;
    }
    writeln!(text, "{} rules", rules.rules().len())?;
    super::print(text.as_bytes())
}

fn show(rule: &Rule) -> Result<()> {
    let mut text = String::new();
    writeln!(text, "{}\n  {} ({}, provider {})", rule.id, sanitise(&rule.title), rule.severity.as_str(), rule.provider)?;
    match &rule.reach {
        Reach::Literals { literals, files, .. } => {
            writeln!(text, "  at       {}", literals.join(", "))?;
            if !files.is_empty() {
                writeln!(text, "  in       {}", globs(files))?;
            }
        }
        Reach::Anywhere { keywords } if keywords.is_empty() => writeln!(text, "  in       every text")?,
        Reach::Anywhere { keywords } => writeln!(text, "  with     {}", sanitise(&keywords.join(", ")))?,
        Reach::Files { files, .. } => writeln!(text, "  in       {}", globs(files))?,
        Reach::Near { words, .. } => writeln!(text, "  behind   {}", words.join(", "))?,
        Reach::Names { names, .. } => writeln!(text, "  names    {}", names.iter().map(|n| &n.words[..]).collect::<Vec<_>>().join(", "))?,
    }
    if !rule.pattern().is_empty() {
        writeln!(text, "  regex    {}", sanitise(rule.pattern()))?;
    }
    if let Some(sample) = &rule.sample {
        writeln!(text, "  sample   {}", sanitise(sample))?;
    }
    for example in &rule.matches {
        writeln!(text, "  matches  {} {}", sanitise(example.path()), sanitise(example.text()))?;
    }
    for example in &rule.reject {
        writeln!(text, "  rejects  {} {}", sanitise(example.path()), sanitise(example.text()))?;
    }
    for (label, line) in [("revoke", &rule.revoke), ("see", &rule.reference), ("file", &Some(rule.file.clone()))] {
        if let Some(line) = line {
            writeln!(text, "  {label:<8} {}", sanitise(line))?;
        }
    }
    super::print(text.as_bytes())
}

fn globs(files: &[globset::GlobMatcher]) -> String {
    files.iter().map(|glob| glob.glob().glob()).collect::<Vec<_>>().join(", ")
}

fn check(path: Option<&PathBuf>) -> Result<u8> {
    let rules = match path {
        Some(path) => RuleSet::from_path(path)?,
        None => RuleSet::builtin()?,
    };
    tell(&rules);
    let count = rules.rules().len();
    let failures = examples::check(rules)?;
    let mut text = String::new();
    for failure in &failures {
        writeln!(text, "{}", sanitise(failure))?;
    }
    writeln!(text, "{count} rules, {} failures", failures.len())?;
    super::print(text.as_bytes())?;
    Ok(u8::from(!failures.is_empty()) * 2)
}
