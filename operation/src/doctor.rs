//! Whether what a service needs is there and well: each part a finding, with what to do where it is not.
//! `storyteller doctor` asks for them. What must stay true: looking changes nothing that stays, ends within its time even where
//! nobody answers, and no finding holds a password.

mod broker;
mod database;
mod machine;
mod store;

use std::io::{self, Write};

use serde::Serialize;

pub use broker::broker;
pub use database::{Database, database};
pub use machine::{open_files, room, temporary};
pub use store::pictures;

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing to be done.
    Ok,
    /// It works, and may not for long, or not as it should.
    Warning,
    /// The service does not run like this.
    Wrong,
}

/// What was found about one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The part.
    pub part: &'static str,
    /// How it is.
    pub state: State,
    /// What was found, in one line.
    pub found: String,
    /// What to do, unless nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Finding {
    /// The part is as it should be.
    pub fn ok(part: &'static str, found: impl Into<String>) -> Self {
        Finding {
            part,
            state: State::Ok,
            found: line(&found.into()),
            todo: None,
        }
    }

    /// The part works, but.
    pub fn warning(part: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Finding {
            state: State::Warning,
            todo: Some(line(&todo.into())),
            ..Finding::ok(part, found)
        }
    }

    /// The part does not work.
    pub fn wrong(part: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Finding {
            state: State::Wrong,
            ..Finding::warning(part, found, todo)
        }
    }
}

/// Whether nothing is wrong.
pub fn is_well(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.state != State::Wrong)
}

/// Writes the findings for a person to read.
///
/// # Errors
/// When they cannot be written.
pub fn write_lines(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        let state = match finding.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Wrong => "wrong",
        };
        writeln!(out, "{state:8} {:12} {}", finding.part, finding.found)?;
        if let Some(todo) = &finding.todo {
            writeln!(out, "{:8} {:12} → {todo}", "", "")?;
        }
    }
    Ok(())
}

/// Writes the findings for a program: one object.
///
/// # Errors
/// When they cannot be written.
pub fn write_json(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    let whole = serde_json::json!({"well": is_well(findings), "findings": findings});
    writeln!(out, "{whole}")
}

/// What servers say may have several lines.
fn line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
