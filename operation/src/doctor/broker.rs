//! The message broker, node by node: whether it answers, whether its queues are there, whether anybody listens.
//! What must stay true: a broker that no program has ever connected to is well, because the first one makes the queues.

use jobs::QueueOptions;
use jobs::queue::BrokerLook;

use super::Finding;

const PART: &str = "rabbitmq";

/// Looks at each node that is named; one finding even where none is.
pub async fn broker(queue: &QueueOptions) -> Vec<Finding> {
    let nodes = queue.look().await;
    if nodes.is_empty() {
        return vec![Finding::ok(
            PART,
            "not used: workers hear of jobs from Postgres",
        )];
    }
    let findings = nodes.into_iter().map(|(place, looked)| match looked {
            Ok(look) => seen(&place, &look),
            Err(error) => Finding::wrong(
                PART,
                format!("{place}: {error}"),
                "see that it runs, and compare user, password, host, port and vhost in AMQP_URL (--amqp-url) with the server's",
            ),
        });
    findings.collect()
}

fn seen(place: &str, look: &BrokerLook) -> Finding {
    if !look.missing.is_empty() {
        let found = format!(
            "{place} answers; {} are not there yet",
            look.missing.join(", ")
        );
        return Finding::warning(
            PART,
            found,
            "start the API or a worker with this AMQP_URL: the first that connects makes them",
        );
    }
    let found = format!(
        "{place}: {} messages wait, {} workers listen, {} dead letters",
        look.waiting, look.listening, look.dead
    );
    if look.dead > 0 {
        return Finding::warning(
            PART,
            found,
            "somebody else writes into these queues: messages that name no job lie among the dead letters",
        );
    }
    if look.waiting > 0 && look.listening == 0 {
        return Finding::warning(
            PART,
            found,
            "nobody takes them: start a worker with this AMQP_URL",
        );
    }
    Finding::ok(PART, found)
}
