//! `storyteller webhooks`: a secret to sign with, and what was sent for a story to the address its caller named.
//! But for the secret it is a client like any other: everything goes through the HTTP API.

use std::io::Write as _;
use std::process::ExitCode;

use api::view::DeliveryView;
use clap::{Args, Subcommand};
use outbound::Secret;
use uuid::Uuid;

use crate::commands::asking::Asked;
use crate::commands::runtime::block_on;

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
        id: Uuid,
        /// The service to ask.
        #[command(flatten)]
        asked: Asked,
    },
    /// Send a webhook again, now.
    Replay {
        /// The story's id.
        id: Uuid,
        /// Which of its deliveries.
        #[arg(default_value_t = 1)]
        number: u32,
        /// The service to ask.
        #[command(flatten)]
        asked: Asked,
    },
}

impl Webhooks {
    /// Prints what was asked for.
    ///
    /// # Errors
    /// When nobody answers, or there is no such story or delivery.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Secret => writeln!(std::io::stdout(), "{}", Secret::new().reveal())?,
            Action::List { id, asked } => {
                let listed = block_on(async { Ok(asked.client()?.deliveries(id).await?) })?;
                for delivery in &listed.deliveries {
                    asked.print(delivery, || described(delivery))?;
                }
            }
            Action::Replay { id, number, asked } => {
                let delivery = block_on(async { Ok(asked.client()?.replay(id, number).await?) })?;
                asked.print(&delivery, || described(&delivery))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A line for the delivery and one for each attempt.
fn described(delivery: &DeliveryView) -> String {
    let DeliveryView {
        number, event, url, ..
    } = delivery;
    let mut lines = format!("{number}  {event}  {}  {url}", delivery.state.name());
    for attempt in &delivery.attempts {
        let answer = attempt
            .status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let error = attempt.error.as_deref().unwrap_or("delivered");
        lines += &format!(
            "\n   {}  {answer}  {error}",
            attempt.started_at.to_rfc3339()
        );
    }
    lines
}
