//! Where options come from: the command line, else the environment (`PENTIMENTO_…`), else `pentimento.toml`, else their defaults.
//!
//! What the file says, and lists from the environment, become arguments in front of those that were typed, and clap reads them again: so
//! every value is checked in one way, wherever it is from.

use super::Cli;
use super::config::Found;
use anyhow::{Result, bail};
use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use pentimento::policy::Setting;
use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Options that mean something else than `scan` means by them: their variables have the command in their names.
const OWN: [(&str, &str); 7] = [
    ("diff", "fail-on"),
    ("rules", "format"),
    ("recover", "output"),
    ("rewind", "output"),
    ("baseline", "output"),
    ("init", "output"),
    ("man", "output"),
];

/// The command line as it is to be run, and the configuration; `typed` are the arguments, the program's name first. An error may be one of clap, which is none where help was asked for.
pub fn parse(typed: &[OsString]) -> Result<(Cli, Found)> {
    let mut command = command();
    let (typed, off) = switched_off(typed, &command);
    if !off.is_empty() {
        command = without_variables(command, &off);
    }
    let mut matches = command.clone().try_get_matches_from(&typed).map_err(|e| with_its_variable(e, &command, &typed))?;
    let (leaf, options, depth) = leaf(&command, &matches);
    // Options belong behind the name of the command, and there are none in front of it.
    let (names, rest) = typed.split_at(typed.len().min(depth + 1));
    let again = |more: &[OsString]| command.clone().try_get_matches_from(names.iter().chain(more).chain(rest));
    let mut more = lists(leaf, options);
    if !more.is_empty() {
        matches = again(&more)?;
    }
    let (_, options, _) = self::leaf(&command, &matches);
    let has_config = leaf.get_arguments().any(|arg| arg.get_id() == "no_config");
    let found = if has_config { Found::of(options)? } else { Found::default() };
    if let Some((_, config)) = &found.config {
        for setting in config.settings.iter().filter(|setting| !off.iter().any(|off| off == setting.option)) {
            let (_, options, _) = self::leaf(&command, &matches);
            let from = more.len();
            more.extend(arguments(leaf, options, setting, &found)?);
            if more.len() > from {
                matches = again(&more).or_else(|e| {
                    found.tell(false);
                    bail!("{}: {}", setting.place, message(&e))
                })?;
            }
        }
    }
    Ok((Cli::from_arg_matches(&matches)?, found))
}

/// The arguments without `--flag=false` (and with `--flag` for `--flag=true`), and the flags that were switched off so, whatever variables and the file say of them.
fn switched_off(typed: &[OsString], command: &Command) -> (Vec<OsString>, Vec<String>) {
    let end = typed.iter().position(|argument| argument == "--").unwrap_or(typed.len());
    let flags = || command.get_subcommands().flat_map(Command::get_arguments).filter(|arg| matches!(arg.get_action(), ArgAction::SetTrue));
    let (mut left, mut off) = (Vec::new(), Vec::new());
    for (index, argument) in typed.iter().enumerate() {
        let parts = argument.to_str().filter(|_| index < end).and_then(|text| text.strip_prefix("--")?.split_once('='));
        let flag = parts.and_then(|(name, value)| Some((flags().find_map(|arg| arg.get_long().filter(|long| *long == name))?, value)));
        match flag {
            Some((flag, "false")) => off.push(flag.to_owned()),
            Some((flag, "true")) => left.push(format!("--{flag}").into()),
            _ => left.push(argument.clone()),
        }
    }
    (left, off)
}

/// The same command, in which the variables of these flags say nothing.
fn without_variables(command: Command, off: &[String]) -> Command {
    let is_off = |arg: &Arg| arg.get_long().is_some_and(|long| off.iter().any(|off| off == long));
    command.mut_args(|arg| if is_off(&arg) { arg.env(None) } else { arg }).mut_subcommands(|sub| without_variables(sub, off))
}

/// An error about a value that came from a variable says so: whoever reads it did not type the option.
fn with_its_variable(mut error: clap::Error, command: &Command, typed: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return error };
    let long = option.strip_prefix("--").and_then(|rest| rest.split([' ', '=', '[']).next()).unwrap_or_default().to_owned();
    let is_typed = typed.iter().any(|argument| argument.to_string_lossy().starts_with(&format!("--{long}")));
    let mut all = command.get_subcommands().flat_map(Command::get_arguments);
    let name =
        all.find(|arg| arg.get_long() == Some(&long)).and_then(Arg::get_env).filter(|name| !is_typed && std::env::var_os(name).is_some());
    if let Some(name) = name {
        let told = format!("{option} (from the variable {})", name.to_string_lossy());
        error.insert(ContextKind::InvalidArg, ContextValue::String(told));
    }
    error
}

/// Whether a command may ask an engine.
pub fn asks_engines(name: &str) -> bool {
    let command = Cli::command();
    command.find_subcommand(name).is_some_and(|sub| sub.get_arguments().any(|arg| arg.get_long() == Some("docker-host")))
}

/// The command with a variable for every option.
pub fn command() -> Command {
    with_variables(Cli::command(), "")
}

/// The same for the command that is called `name`, or is below the one that is.
fn with_variables(command: Command, name: &str) -> Command {
    command.mut_args(|arg| with_variable(arg, name)).mut_subcommands(|sub| {
        let name = if name.is_empty() { sub.get_name().to_owned() } else { name.to_owned() };
        with_variables(sub, &name)
    })
}

fn with_variable(arg: Arg, command: &str) -> Arg {
    let Some(name) = arg.get_long().map(|long| variable(command, long)) else { return arg };
    let arg = if matches!(arg.get_action(), ArgAction::SetTrue) { arg.value_parser(BoolishValueParser::new()) } else { arg };
    // One that is set to nothing is as good as not there.
    if std::env::var_os(&name).is_some_and(|value| value.is_empty()) { arg } else { arg.env(name).hide_env_values(true) }
}

/// The name of the variable for an option of a command.
fn variable(command: &str, long: &str) -> String {
    let own = if OWN.contains(&(command, long)) { format!("{command}_") } else { String::new() };
    format!("pentimento_{own}{long}").replace('-', "_").to_ascii_uppercase()
}

/// The command that was called, its options, and how many names it has.
fn leaf<'c, 'm>(command: &'c Command, matches: &'m ArgMatches) -> (&'c Command, &'m ArgMatches, usize) {
    match matches.subcommand().and_then(|(name, options)| Some((command.find_subcommand(name)?, options))) {
        Some((sub, options)) => {
            let (leaf, options, depth) = leaf(sub, options);
            (leaf, options, depth + 1)
        }
        None => (command, matches, 0),
    }
}

/// Lists in variables: paths are separated as in PATH, all else by commas, also what may have a prefix with a colon. (Where clap knows a
/// separator, it has done so.)
fn lists(leaf: &Command, options: &ArgMatches) -> Vec<OsString> {
    let mut more = Vec::new();
    for arg in leaf.get_arguments().filter(|arg| matches!(arg.get_action(), ArgAction::Append) && arg.get_value_delimiter().is_none()) {
        let from_variable = options.value_source(arg.get_id().as_str()) == Some(ValueSource::EnvVariable);
        let (Some(long), true) = (arg.get_long(), from_variable) else { continue };
        for raw in options.get_raw(arg.get_id().as_str()).into_iter().flatten() {
            let paths = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>() && long != "output";
            let parts: Vec<OsString> = match paths {
                true => std::env::split_paths(raw).map(PathBuf::into_os_string).collect(),
                false => raw.to_string_lossy().split(',').map(|part| part.trim().into()).collect(),
            };
            more.extend(parts.iter().filter(|part| !part.is_empty()).map(|part| argument(long, part)));
        }
    }
    more
}

fn argument(long: &str, value: &OsStr) -> OsString {
    let mut argument = OsString::from(format!("--{long}="));
    argument.push(value);
    argument
}

/// A setting of the file as arguments; none where the command has no such option, or something that counts more gave it.
fn arguments(leaf: &Command, options: &ArgMatches, setting: &Setting, found: &Found) -> Result<Vec<OsString>> {
    let Some(arg) = leaf.get_arguments().find(|arg| arg.get_long() == Some(setting.option)) else { return Ok(Vec::new()) };
    if matches!(options.value_source(arg.get_id().as_str()), Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
        return Ok(Vec::new());
    }
    if !arg.get_action().takes_values() {
        return match setting.values.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["true"] => Ok(vec![format!("--{}", setting.option).into()]),
            ["false"] => Ok(Vec::new()),
            _ => bail!("{}: true or false is expected", setting.place),
        };
    }
    let value = |value: &String| if setting.paths { found.path(setting, value) } else { Ok(value.into()) };
    setting.values.iter().map(|text| Ok(argument(setting.option, &value(text)?))).collect()
}

/// What is wrong, without the advice for whoever typed it.
fn message(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.split("\n\n").next().unwrap_or(&text).trim();
    text.strip_prefix("error: ").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Every option with the path of its command.
    fn all(command: &Command, path: &str, found: &mut Vec<(String, Arg)>) {
        found.extend(command.get_arguments().map(|arg| (path.to_owned(), arg.clone())));
        for sub in command.get_subcommands() {
            all(sub, format!("{path} {}", sub.get_name()).trim_start(), found);
        }
    }

    #[test]
    fn every_option_of_every_command_has_a_variable_with_one_meaning() {
        let mut options = Vec::new();
        all(&command(), "", &mut options);
        options.retain(|(_, arg)| arg.get_long().is_some());
        assert!(options.len() > 100, "{}", options.len());
        let mut meanings: BTreeMap<String, (String, String)> = BTreeMap::new();
        for (path, arg) in options {
            let name = arg.get_env().unwrap_or_else(|| panic!("{path} {arg}")).to_string_lossy().into_owned();
            assert!(name.starts_with("PENTIMENTO_") && name.bytes().all(|b| b == b'_' || b.is_ascii_uppercase()), "{name}");
            let values: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
            let kind = format!("{:?} {values:?}", arg.get_action());
            let (first, meaning) = meanings.entry(name.clone()).or_insert((path.clone(), kind.clone()));
            assert_eq!(*meaning, kind, "{name}: {first} and {path}");
        }
        assert_eq!(variable("scan", "min-confidence"), "PENTIMENTO_MIN_CONFIDENCE");
        assert_eq!(variable("diff", "fail-on"), "PENTIMENTO_DIFF_FAIL_ON");
        assert_eq!(variable("rules", "format"), "PENTIMENTO_RULES_FORMAT");
    }

    #[test]
    fn what_a_file_may_set_is_an_option_of_scan() {
        let text = "[scan]\nx = 1\n";
        let known = pentimento::policy::Config::read("p", text).expect_err("an unknown key").to_string();
        let keys = known.rsplit("it has ").next().expect("the keys").split(", ");
        let command = command();
        let scan = command.find_subcommand("scan").expect("scan");
        let mut count = 0;
        for key in keys {
            assert!(scan.get_arguments().any(|arg| arg.get_long() == Some(key)), "{key}");
            count += 1;
        }
        assert!(count > 20);
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
