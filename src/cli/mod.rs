//! The command line: the only place that knows clap, stdout and the terminal. One file per command.

mod access;
mod base;
mod baseline;
mod config;
mod describe;
mod diff;
mod explain;
mod hidden;
mod history;
mod init;
mod inspect;
mod items;
mod layers;
mod limits;
mod manual;
mod options;
mod output;
mod plugin;
mod policy;
mod progress;
mod read;
mod recover;
mod rewind;
mod rules;
mod scan;
mod stop;
mod targets;
mod vault;
mod watch;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use std::io::{self, Write};
use std::process::ExitCode;

/// What is printed at the end of `--help`.
const EXIT_CODES: &str = "Exit codes: 0 clean, or the policy lets it pass · 1 found (--exit-code) · 2 usage, configuration, or nothing readable · \
3 incomplete: nothing that fails, but not everything was read";

#[derive(Parser)]
#[command(name = "pentimento", version, about = "Finds the secrets that a container image still remembers", after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Search saved images: every layer, config and history, also what later layers deleted
    #[command(after_help = EXIT_CODES)]
    Scan(Box<scan::Args>),
    /// Get back the exact bytes of any version of any file, also of deleted ones
    Recover(Box<recover::Args>),
    /// Write the image as it was after one of its layers, for a real engine to load
    Rewind(Box<rewind::Args>),
    /// Tell an image's life, layer by layer
    Layers(Box<layers::Args>),
    /// List every file that is in a layer and does not show in the final image
    Hidden(Box<hidden::Args>),
    /// List every version of one path
    History(Box<history::Args>),
    /// Compare two images: which secrets the new one adds, drops, hides or reveals
    Diff(Box<diff::Args>),
    /// Tell what is odd about the image itself, and what it may mean
    Inspect(Box<inspect::Args>),
    /// Write down what is found now, so that only what is new fails (`scan --baseline`)
    Baseline(Box<baseline::Args>),
    /// Write a configuration to begin with (`pentimento.toml`)
    Init(init::Args),
    /// List, show, check and explain rules
    #[command(subcommand)]
    Rules(rules::Command),
    /// Print the JSON Schema of the JSON report
    Schema,
    /// Print what a shell needs to complete commands and options
    Completions(manual::CompletionArgs),
    /// Print the manual page, or write those of all commands
    Man(manual::ManArgs),
}

#[derive(Clone, Copy, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let typed = match plugin::call(std::env::args_os(), options::asks_engines) {
        plugin::Call::Arguments(typed) => typed,
        plugin::Call::Metadata(text) => return print(format!("{text}\n").as_bytes()).map_or(ExitCode::from(2), |()| ExitCode::SUCCESS),
        plugin::Call::Unsupported(why) => return ExitCode::from(tell(&anyhow::anyhow!(why))),
    };
    match options::parse(&typed).and_then(|(cli, found)| run(cli.command, found)) {
        Ok(code) => ExitCode::from(code),
        Err(e) => ExitCode::from(tell(&e)),
    }
}

/// Runs the command and returns the exit code.
fn run(command: Command, found: config::Found) -> Result<u8> {
    match command {
        Command::Scan(args) => scan::run(&args, found),
        Command::Baseline(args) => baseline::run(&args, found),
        Command::Recover(args) => recover::run(&args),
        Command::Rewind(args) => rewind::run(&args),
        Command::Layers(args) => layers::run(&args),
        Command::Hidden(args) => hidden::run(&args),
        Command::History(args) => history::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Rules(command) => rules::run(&command),
        Command::Schema => print(pentimento::report::json::SCHEMA.as_bytes()).map(|()| 0),
        Command::Completions(args) => manual::completions(&args, options::command()),
        Command::Man(args) => manual::man(&args, options::command()),
    }
}

/// Says what is wrong, and returns the exit code.
fn tell(error: &anyhow::Error) -> u8 {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        let _ = usage.print();
        return if usage.use_stderr() { 2 } else { 0 };
    }
    // Line breaks are ours; what comes from an image is sanitised where it enters, too.
    let lines: Vec<String> = format!("{error:#}").split('\n').map(pentimento::text::sanitise).collect();
    eprintln!("pentimento: {}", lines.join("\n"));
    2
}

/// Seconds since 1970-01-01, if the clock is not before that.
fn now() -> Option<u64> {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// Prints. That whoever read our output has gone is no error, and changes nothing of the exit code.
fn print(bytes: &[u8]) -> Result<()> {
    Ok(unless_gone(written(bytes))?)
}

/// What came of writing to a pipe or a device: that its reader has gone is no error. The verdict stands without him.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|e| if e.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(e) })
}

fn written(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
