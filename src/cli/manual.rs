//! `pentimento completions` and `pentimento man`: what a package carries beside the program.

use super::print;
use anyhow::{Context, Result};
use clap_complete::Shell;
use std::path::PathBuf;

/// Options of `completions`.
#[derive(clap::Args)]
pub struct CompletionArgs {
    /// The shell
    shell: Shell,
}

/// Options of `man`.
#[derive(clap::Args)]
pub struct ManArgs {
    /// Write a page for each command into this directory, in place of the first to standard output
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Prints what a shell has to know to complete commands and options.
pub fn completions(args: &CompletionArgs, mut command: clap::Command) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "pentimento", &mut text);
    print(&text)?;
    Ok(0)
}

/// Prints the manual page, or writes those of all commands.
pub fn man(args: &ManArgs, command: clap::Command) -> Result<u8> {
    match &args.output {
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            clap_mangen::generate_to(command, folder).with_context(|| format!("cannot write into {}", folder.display()))?;
        }
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(command).render(&mut text)?;
            print(&text)?;
        }
    }
    Ok(0)
}
