//! `pentimento rules`.

use super::describe;
use super::scan::FormatArg;
use anyhow::{Result, bail};
use pentimento::detect::examples;
use pentimento::rules::{Rule, RuleSet};
use pentimento::text::sanitise;
use std::fmt::Write;
use std::path::PathBuf;

/// Sub-commands of `rules`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// All rules: id, severity, title
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value = "human")]
        format: FormatArg,
        /// Add the rules of a file or directory, also of gitleaks, Nosey Parker and Kingfisher
        #[arg(long, value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// One rule: what it matches, examples with made-up values, how to revoke
    Show {
        /// Its id
        id: String,
        /// How it is written
        #[arg(long, value_enum, default_value = "human")]
        format: FormatArg,
        /// Add the rules of a file or directory, also of gitleaks, Nosey Parker and Kingfisher
        #[arg(long, value_name = "PATH")]
        rules: Vec<PathBuf>,
    },
    /// Say of a text why each candidate in it is reported or not
    Explain(super::explain::Args),
    /// Compile rules and run their examples, also of rule files of gitleaks, Nosey Parker and Kingfisher; without a path, the built-in ones
    Check {
        /// A rule file, or a directory of them
        path: Option<PathBuf>,
    },
}

/// Runs the command and returns the exit code.
pub fn run(command: &Command) -> Result<u8> {
    let with = |paths: &[PathBuf]| rule_set(paths, &[]);
    match command {
        Command::List { rules, format } => list(&with(rules)?, *format),
        Command::Show { id, rules, format } => match with(rules)?.get(id) {
            Some(rule) => show(rule, *format),
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

fn list(rules: &RuleSet, format: FormatArg) -> Result<()> {
    if format == FormatArg::Json {
        let all: Vec<_> = rules.rules().iter().map(describe::summary).collect();
        return super::print(format!("{:#}\n", serde_json::Value::from(all)).as_bytes());
    }
    let mut text = String::new();
    for rule in rules.rules() {
        writeln!(text, "{:<36} {:<8} {}", rule.id, rule.severity.as_str(), sanitise(&rule.title))?;
    }
    writeln!(text, "{} rules", rules.rules().len())?;
    super::print(text.as_bytes())
}

fn show(rule: &Rule, format: FormatArg) -> Result<()> {
    match format {
        FormatArg::Human => super::print(describe::text(rule)?.as_bytes()),
        FormatArg::Json => super::print(format!("{:#}\n", describe::json(rule)).as_bytes()),
    }
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
