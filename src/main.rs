//! The one binary for people: `serve`, `tell`, `submit`, `demo` and their company.
//! It parses the command line, sets up logging and hands over; every command lives in its own file.
//! Exit codes: 0 done, 1 the work failed, 2 the command line was wrong; for others see `commands/exits.rs`.

use std::io;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
mod commands;

use commands::command_line::{self, Command, CommandLine};
use commands::exits;
use operation::signals::end_with;

/// What the program logs unless told otherwise: what our own parts do, and what goes wrong elsewhere.
const PROGRAM: &str = "warn,storyteller=info,worker=info,api=info,jobs=info,pictures=info,outbound=info,embedded=info,\
                       operation=info";

fn main() -> ExitCode {
    // Before any thread exists: the allocator's settings hold for the whole process.
    models::tensors::device::keep_large_blocks();
    let line = CommandLine::parse();
    let done = start_logging(&line).and_then(|()| command_line::run(line));
    operation::traces::flush();
    match done {
        Ok(code) => code,
        // whoever read our words has heard enough, as `head` has
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            exits::complain(&error);
            // what was begun may still run, a network for instance
            end_with(exits::after(&error))
        }
    }
}

/// `demo` shows a person a picture and a story: its log goes into a file.
fn start_logging(line: &CommandLine) -> anyhow::Result<()> {
    if let Command::Demo(demo) = &line.command {
        let file = demo.log_file()?;
        let started = line.logging.start_into(PROGRAM, &file);
        return started.with_context(|| format!("cannot write the log {}", file.display()));
    }
    line.logging.start(PROGRAM);
    Ok(())
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(broken))
}
