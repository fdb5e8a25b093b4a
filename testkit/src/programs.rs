//! Programs that tests start: each in a group with all that it starts itself, and ended with it.
//! What must stay true: nothing goes on after its test, whether that passes, panics or is killed with its program.

use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// A program and whatever it has started. Dropping it kills them all.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started: it may not be installed.
    pub fn start(command: &mut Command) -> io::Result<Program> {
        let program = Program(command.process_group(0).spawn()?);
        guard(program.id(), std::process::id());
        Ok(program)
    }
}

impl Deref for Program {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Program {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        kill_group(self.0.id());
        let _ = self.0.wait();
    }
}

/// Kills a group of processes; whether anything was left to kill.
pub(crate) fn kill_group(group: u32) -> bool {
    let killed = Command::new("kill")
        .args(["-9", "--", &format!("-{group}")])
        .stderr(Stdio::null())
        .status();
    killed.is_ok_and(|status| status.success())
}

/// Ends the group when the program of these tests is gone, however it went: a signal of the terminal reaches that program's
/// own group only. The shell's own `kill` takes no `--` after a number.
fn guard(group: u32, tests: u32) {
    let watch_of_group =
        format!("while kill -0 {tests} && kill -0 -{group}; do sleep 1; done; kill -9 -{group}");
    watch(&watch_of_group, "program");
}

/// Starts a shell that outlives these tests; it is called by this name where processes are listed.
pub(crate) fn watch(what: &str, name: &str) {
    let begun = Command::new("setsid")
        .args(["--fork", "sh", "-c", what, name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(begun.unwrap().success());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};

    use crate::eventually;

    /// A shell that has started a program which outlives shells, and the id of that.
    fn with_child() -> (Program, u32) {
        let mut shell = Command::new("sh");
        let shell = shell
            .args(["-c", "sleep 600 & echo $!; wait"])
            .stdout(Stdio::piped());
        let mut program = Program::start(shell).unwrap();
        let mut said = BufReader::new(program.stdout.take().unwrap()).lines();
        let child = said.next().unwrap().unwrap().parse().unwrap();
        (program, child)
    }

    fn runs(process: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        // what nobody has asked about since it ended is a zombie
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn what_a_program_has_started_ends_when_the_tests_are_killed() {
        let (program, child) = with_child();
        let mut tests = Command::new("sleep").arg("600").spawn().unwrap();
        guard(program.id(), tests.id());
        tests.kill().unwrap();
        tests.wait().unwrap();
        eventually("it has ended", async || (!runs(child)).then_some(())).await;
    }

    #[tokio::test]
    async fn what_a_program_has_started_ends_with_a_test_that_panics() {
        let (program, child) = with_child();
        let shell = program.id();
        assert!(runs(shell) && runs(child));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _program = program;
            panic!("as a test does");
        }));
        assert!(panicked.is_err());
        eventually("both have ended", async || {
            (!runs(shell) && !runs(child)).then_some(())
        })
        .await;
    }
}
