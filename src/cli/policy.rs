//! The gate: what fails a scan, and what is let pass.

use super::config::{ConfigArgs, Found};
use super::scan::ConfidenceArg;
use anyhow::{Context, Result};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use pentimento::error::Code;
use pentimento::policy::{Baseline, Day, FailOn, Fates, Owner, Policy};
use pentimento::rules::{RuleSet, Severity};
use std::path::PathBuf;

/// Any note, in a list of codes.
const ANY: &str = "any";

/// Options of the gate. A finding fails if all conditions hold.
#[derive(clap::Args)]
#[command(next_help_heading = "Gate")]
pub struct PolicyArgs {
    /// Which findings fail the scan, by what became of them: any, those visible in the final image (present), those that are not
    /// (hidden), those with one of these fates (a list: `present,deleted`), or none
    #[arg(long, value_delimiter = ',', default_value = "any", value_name = "WHICH", value_parser = fates())]
    fail_on: Vec<Fates>,
    /// Only findings that are at least so bad fail
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on_severity: Option<SeverityArg>,
    /// Only findings that are at least so sure fail
    #[arg(long, value_enum, value_name = "LEVEL")]
    fail_on_confidence: Option<ConfidenceArg>,
    /// Only secrets of these providers fail
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    fail_on_provider: Vec<String>,
    /// Secrets of these providers do not fail
    #[arg(long, value_delimiter = ',', value_name = "PROVIDERS")]
    except_provider: Vec<String>,
    /// Whose layers fail: the image's own, those of the image that --base names, or both. Without --base all are its own [default: own]
    #[arg(long, value_enum, value_name = "WHOSE")]
    fail_on_layers: Option<OwnerArg>,
    /// Fail also on notes: on any, or on those with these codes (`--fail-on-notes=runs-as-root,setuid-added`)
    #[arg(long, value_name = "CODES", num_args = 0..=1, require_equals = true, value_delimiter = ',', value_parser = code)]
    fail_on_notes: Option<Vec<String>>,
    /// What this file has does not fail (`pentimento baseline` writes it): only new findings do
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// List also what an ignore or the baseline lets pass; it is counted in any case, and does not fail
    #[arg(long)]
    pub show_ignored: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum SeverityArg {
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OwnerArg {
    Own,
    Base,
    Any,
}

fn fates() -> impl TypedValueParser<Value = Fates> {
    PossibleValuesParser::new(Fates::ALL.map(Fates::as_str)).try_map(|text| Fates::parse(&text).ok_or("no such fate"))
}

/// A note's code. A foreign layer is a note where it is allowed to be missing.
fn code(text: &str) -> Result<String, String> {
    let is_note = |code: Code| code.is_note() || code == Code::ForeignLayer;
    match Code::parse(text) {
        _ if text == ANY => Ok(text.to_owned()),
        Some(code) if is_note(code) => Ok(text.to_owned()),
        Some(_) => Err("this is a problem, never a note: it makes a scan incomplete, and that is no success (exit code 3)".to_owned()),
        None => Err("there is no note with this code (GUIDE.md, \"Problems and notes\")".to_owned()),
    }
}

/// Today, in UTC.
pub fn today() -> Option<Day> {
    super::now().map(Day::of)
}

impl PolicyArgs {
    /// The policy of these options, with what the files let pass; `base` says whether a base image is named.
    pub fn policy(&self, found: &mut Found, targets: &[String], rules: &RuleSet, base: bool) -> Result<Policy> {
        let (ignores, ignore_file) = found.ignores(&self.config, targets)?;
        let policy = Policy {
            fail_on: self.fail_on(found, base)?,
            notes: self.notes(),
            ignores,
            baseline: self.baseline()?,
            today: today(),
            config: found.config.as_ref().map(|(path, _)| path.display().to_string()),
            ignore_file,
        };
        if let Some(name) = policy.unknown_providers(rules).next() {
            let option = if policy.fail_on.providers.iter().any(|only| only == name) { "fail-on-provider" } else { "except-provider" };
            let message = format!("no rule has the provider {name}: `pentimento rules list --format json` shows those that there are");
            return Err(found.wrong(option, &message));
        }
        Ok(policy)
    }

    fn fail_on(&self, found: &Found, base: bool) -> Result<FailOn> {
        if self.fail_on.contains(&Fates::None) && self.fail_on.len() > 1 {
            return Err(found.wrong("fail-on", "--fail-on: none stands alone"));
        }
        if self.fail_on_layers == Some(OwnerArg::Base) && !base {
            let message = "--fail-on-layers base: without --base every layer is the image's own, and nothing could fail";
            return Err(found.wrong("fail-on-layers", message));
        }
        let names = |names: &[String]| names.iter().map(|name| name.trim().to_owned()).collect::<Vec<String>>();
        let (only, except) = (names(&self.fail_on_provider), names(&self.except_provider));
        if !only.is_empty() && only.iter().all(|name| except.contains(name)) {
            let message = "--fail-on-provider and --except-provider name the same: nothing could fail";
            return Err(found.wrong("except-provider", message));
        }
        Ok(FailOn {
            fates: self.fail_on.clone(),
            severity: self.fail_on_severity.map(|least| match least {
                SeverityArg::Low => Severity::Low,
                SeverityArg::Medium => Severity::Medium,
                SeverityArg::High => Severity::High,
                SeverityArg::Critical => Severity::Critical,
            }),
            confidence: self.fail_on_confidence.map(Into::into),
            providers: only,
            except_providers: except,
            layers: match self.fail_on_layers {
                None | Some(OwnerArg::Own) => Owner::Own,
                Some(OwnerArg::Base) => Owner::Base,
                Some(OwnerArg::Any) => Owner::Any,
            },
        })
    }

    fn notes(&self) -> Option<Vec<String>> {
        let codes = self.fail_on_notes.clone()?;
        Some(if codes.iter().any(|code| code == ANY) { Vec::new() } else { codes })
    }

    fn baseline(&self) -> Result<Option<Baseline>> {
        let Some(path) = &self.baseline else { return Ok(None) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("--baseline: cannot read {name}"))?;
        Ok(Some(Baseline::read(&name, &text)?))
    }
}
