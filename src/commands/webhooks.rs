//! `storyteller webhooks`: a secret to sign with, and what was sent for a story to the address its caller named.
//! But for the secret it is a client like any other: everything goes through the HTTP API.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use outbound::Secret;
use serde_json::Value;

use crate::commands::command_line::block_on;
use storyteller::client::Client;

/// What `webhooks` takes.
#[derive(Args, Debug)]
pub(crate) struct Webhooks {
    /// What to do.
    #[command(subcommand)]
    action: Action,
}

/// What can be done about webhooks.
#[derive(Subcommand, Debug)]
enum Action {
    /// Print a new secret for STORYTELLER_WEBHOOK_SECRET and for the receivers.
    Secret,
    /// List what was sent for a story, attempt by attempt.
    List {
        /// The story's id.
        id: String,
        /// The service to ask.
        #[command(flatten)]
        service: Service,
    },
    /// Send a webhook again, now.
    Replay {
        /// The story's id.
        id: String,
        /// Which of its deliveries.
        #[arg(default_value_t = 1)]
        number: u32,
        /// The service to ask.
        #[command(flatten)]
        service: Service,
    },
}

/// Which service.
#[derive(Args, Debug)]
struct Service {
    /// The service to ask.
    #[arg(
        long,
        env = "STORYTELLER_SERVER",
        default_value = "http://127.0.0.1:7878",
        value_name = "URL"
    )]
    server: String,
}

impl Webhooks {
    /// Prints what was asked for.
    ///
    /// # Errors
    /// When nobody answers, or there is no such story or delivery.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut out = std::io::stdout().lock();
        match self.action {
            Action::Secret => writeln!(out, "{}", Secret::new().reveal())?,
            Action::List { id, service } => {
                let listed =
                    block_on(async { Ok(Client::new(&service.server)?.deliveries(&id).await?) })?;
                for delivery in listed["deliveries"].as_array().into_iter().flatten() {
                    write!(out, "{}", described(delivery))?;
                }
            }
            Action::Replay {
                id,
                number,
                service,
            } => {
                let delivery = block_on(async {
                    Ok(Client::new(&service.server)?.replay(&id, number).await?)
                })?;
                write!(out, "{}", described(&delivery))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A line for the delivery and one for each attempt.
fn described(delivery: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let head = ["number", "event", "state", "url"].map(|name| text(&delivery[name]));
    let mut lines = head.join("  ") + "\n";
    for attempt in delivery["attempts"].as_array().into_iter().flatten() {
        let answer = match &attempt["status"] {
            Value::Null => "no answer".to_owned(),
            status => text(status),
        };
        let error = attempt["error"].as_str().unwrap_or("delivered");
        lines += &format!("   {}  {answer}  {error}\n", text(&attempt["started_at"]));
    }
    lines
}
