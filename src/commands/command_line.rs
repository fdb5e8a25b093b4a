//! The command line: what can be asked, with which options, and who answers.
//! `--help` is the reference; every option can also be given by environment.
//! Called by `main`; each command's work is in the file of its name.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use operation::Logging;

use crate::commands::{
    batch, bench, check_parity, dead_letters, demo, describe, doctor, evaluate, exits, health,
    import, keys, migrate, serve, shell, stories, styles, submit, tell, train, webhooks,
};

/// Tells stories about pictures, on your own machine.
#[derive(Parser, Debug)]
#[command(
    name = "storyteller",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = exits::HELP
)]
pub(crate) struct CommandLine {
    /// Logging, for every command.
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the program can be asked to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run the whole service in one process: page, HTTP API, worker and database, on this machine only.
    Serve(serve::Serve),
    /// Tell the story of one or more pictures here and now, without a server.
    Tell(tell::Tell),
    /// Send a picture to a running service; with --wait or --follow, print its story.
    #[command(after_help = exits::HELP)]
    Submit(submit::Submit),
    /// Send an album to a running service in one call; with --wait, print its stories.
    #[command(after_help = exits::HELP)]
    Batch(batch::Batch),
    /// What is done with stories there.
    #[command(flatten)]
    Stories(stories::Stories),
    /// Start the service, send it a picture over HTTP and print the story: the quickest look at everything.
    Demo(demo::Demo),
    /// List the styles a bundle or a running service can tell in, and make new ones of any text.
    Styles(styles::Styles),
    /// Make a bundle from the files of the original of 2015: the same numbers, the same stories.
    Import(import::Import),
    /// Say what is inside a bundle: parts, arrays, shapes, sizes, words and captions.
    Describe(describe::Describe),
    /// Train models, styles and bundles on your own text and pictures.
    Train(train::Train),
    /// Measure the networks of a bundle: retrieval, sentences, decoder, stories.
    Evaluate(evaluate::Evaluate),
    /// Measure what a story costs on this machine, and what the machine can do.
    Bench(bench::Bench),
    /// Make a secret for webhooks, look at what was sent for a story, and send it again.
    Webhooks(webhooks::Webhooks),
    /// List the stories that failed for good, and have them told after all.
    DeadLetters(dead_letters::DeadLetters),
    /// Compare every number that the original's code printed with ours, for sets of golden numbers.
    CheckParity(check_parity::CheckParity),
    /// Ask a running service whether it is ready; exit code 0 if it is (for container health checks).
    Health(health::Health),
    /// Make, list and revoke the keys by which a service knows its callers, and see who did what.
    Keys(keys::Keys),
    /// Bring the tables of a database to this version, before programs of this version use it.
    Migrate(migrate::Migrate),
    /// Look at this machine and say what is missing for the service to run.
    Doctor(doctor::Doctor),
    /// Print what makes a shell complete commands, options and their values.
    Completions(shell::Completions),
    /// Write a page for `man` about each command.
    Manual(shell::Manual),
}

/// Carries the command out.
///
/// # Errors
/// Whatever the command could not do, with its causes, in words for the person who typed it.
pub(crate) fn run(line: CommandLine) -> anyhow::Result<ExitCode> {
    match line.command {
        Command::Serve(command) => command.run(),
        Command::Tell(command) => command.run(),
        Command::Submit(command) => command.run(),
        Command::Batch(command) => command.run(),
        Command::Stories(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Styles(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Describe(command) => command.run(),
        Command::Train(command) => command.run(),
        Command::Evaluate(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Webhooks(command) => command.run(),
        Command::DeadLetters(command) => command.run(),
        Command::CheckParity(command) => Ok(command.run()),
        Command::Health(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Migrate(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Completions(command) => command.run(CommandLine::command()),
        Command::Manual(command) => command.run(CommandLine::command()),
    }
}
