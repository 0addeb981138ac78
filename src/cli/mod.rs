//! The command line: the only place that knows clap, stdout and the terminal. One file per command.

mod describe;
mod explain;
mod limits;
mod progress;
mod rules;
mod scan;
mod stop;

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
    /// List, show, check and explain rules
    #[command(subcommand)]
    Rules(rules::Command),
    /// Print the JSON Schema of the JSON report
    Schema,
}

#[derive(Clone, Copy, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    let result = match cli.command {
        Command::Scan(args) => scan::run(&args),
        Command::Rules(command) => rules::run(&command),
        Command::Schema => print(pentimento::report::json::SCHEMA.as_bytes()).map(|()| 0),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("pentimento: {}", pentimento::text::sanitise(&format!("{e:#}")));
            ExitCode::from(2)
        }
    }
}

/// Whoever read our output has gone: not an error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}
