//! The command line: reads it, reads the settings that the command needs, does the command, and tells the shell how it
//! went (0 done, 1 refused or failed, 64 usage, 75 try again, 78 configuration).

pub mod administer;
pub mod arguments;
pub mod database;
pub mod demo;
pub mod expiry;
pub mod failure;
pub mod health;
pub mod output;
pub mod queue;
pub mod serve;
mod views;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::app::database::Migrate;
use crate::config::{self, Environment, Loaded};

use arguments::{Arguments, Command, ConfigCommand};
use failure::{Failure, USAGE};

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Prints help, the version, or what is wrong with the command line.
fn explain(error: &clap::Error) -> ExitCode {
    // When nobody reads, nothing is lost but the words.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::Refused(format!("cannot start the threads: {e}")))?;
    runtime.block_on(dispatch(arguments))
}

async fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let loaded = || load(arguments.config.as_deref());
    let mut out = BufWriter::new(io::stdout());
    match arguments.command {
        Command::Serve { migrate } => serve::run(loaded()?.settings, migrate_if(migrate)).await?,
        Command::Demo { keep } => demo::run(at_end(keep)).await?,
        Command::Migrate => database::migrate(&loaded()?.settings, &mut out).await?,
        Command::Config(ConfigCommand::Default) => write!(out, "{}", config::default_file())?,
        Command::Config(ConfigCommand::Show) => write!(out, "{}", loaded()?.show())?,
        Command::Admin(command) => database::administer(&loaded()?.settings, command, &mut out).await?,
        Command::Queue(command) => queue::run(&loaded()?.settings, command, &mut out).await?,
        Command::Health => health::run(&loaded()?.settings.smtp.listen)?,
        Command::Completions { shell } => completions(shell, &mut out)?,
    }
    Ok(out.flush()?)
}

fn migrate_if(asked: bool) -> Migrate {
    if asked { Migrate::Yes } else { Migrate::OnlySqlite }
}

fn at_end(keep: bool) -> demo::AtEnd {
    if keep { demo::AtEnd::Stay } else { demo::AtEnd::Stop }
}

fn load(file: Option<&Path>) -> Result<Loaded, Failure> {
    Ok(config::load(file, &Environment::of_process())?)
}

fn completions(shell: clap_complete::Shell, out: &mut impl Write) -> io::Result<()> {
    // Into memory first: the generator panics when its writer fails, and a closed pipe is no reason to.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "aliasd", &mut script);
    out.write_all(&script)
}

#[cfg(test)]
mod tests;
