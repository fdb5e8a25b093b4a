//! `storyteller webhooks`: a secret to sign with, and what was sent for a story to the address its caller named.
//! But for the secret it is a client like any other: everything goes through the HTTP API.

use std::io::Write as _;
use std::process::ExitCode;

use api::view::DeliveryView;
use clap::{Args, Subcommand};
use outbound::Secret;
use uuid::Uuid;

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
        id: Uuid,
        /// The service to ask.
        #[command(flatten)]
        service: Server,
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
        service: Server,
    },
}

/// Which service.
#[derive(Args, Debug)]
struct Server {
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
                    block_on(async { Ok(Client::new(&service.server)?.deliveries(id).await?) })?;
                for delivery in &listed.deliveries {
                    write!(out, "{}", described(delivery))?;
                }
            }
            Action::Replay {
                id,
                number,
                service,
            } => {
                let delivery = block_on(async {
                    Ok(Client::new(&service.server)?.replay(id, number).await?)
                })?;
                write!(out, "{}", described(&delivery))?;
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
    let mut lines = format!("{number}  {event}  {}  {url}\n", delivery.state.name());
    for attempt in &delivery.attempts {
        let answer = attempt
            .status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let error = attempt.error.as_deref().unwrap_or("delivered");
        lines += &format!(
            "   {}  {answer}  {error}\n",
            attempt.started_at.to_rfc3339()
        );
    }
    lines
}
