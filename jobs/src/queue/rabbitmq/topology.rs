//! The queues at the broker: three lanes and one for dead letters, all quorum queues, reached by the default exchange.
//! Every session declares them. What must stay true: the arguments never change under one name, because a broker
//! refuses other arguments for a queue that exists (406), and they are understood by 3.10 as by 4.x.

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

/// Urgent, normal and patient.
pub(super) const LANES: usize = 3;
/// A broker charges every message a crashed consumer held, guilty or not, so its limit (20 by default since 4.0) is far
/// above ours, which is counted in Postgres.
const DELIVERY_LIMIT: i32 = 1000;

/// The name of one lane's queue.
pub(super) fn lane_queue(name: &str, lane: usize) -> String {
    format!("{name}.{}", ["urgent", "normal", "patient"][lane])
}

/// The name of the queue of messages that could not be read.
pub(super) fn dead_queue(name: &str) -> String {
    format!("{name}.dead")
}

/// The broker's lane for a lane of the table (0–9, 0 first).
pub(super) fn lane(of_table: i16) -> usize {
    match of_table {
        ..=2 => 0,
        3..=6 => 1,
        7.. => 2,
    }
}

/// Makes all queues, or finds that they are there.
pub(super) async fn declare(channel: &Channel, name: &str) -> lapin::Result<()> {
    let quorum = || {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), long("quorum"));
        arguments
    };
    let options = QueueDeclareOptions::durable();
    channel
        .queue_declare(dead_queue(name).into(), options, quorum())
        .await?;
    for lane in 0..LANES {
        let mut arguments = quorum();
        arguments.insert(
            "x-delivery-limit".into(),
            AMQPValue::LongInt(DELIVERY_LIMIT),
        );
        arguments.insert("x-dead-letter-exchange".into(), long(""));
        arguments.insert("x-dead-letter-routing-key".into(), long(&dead_queue(name)));
        arguments.insert("x-dead-letter-strategy".into(), long("at-least-once"));
        arguments.insert("x-overflow".into(), long("reject-publish"));
        channel
            .queue_declare(lane_queue(name, lane).into(), options, arguments)
            .await?;
    }
    Ok(())
}

/// How many messages lie in the lanes and are not delivered.
pub(super) async fn waiting(channel: &Channel, name: &str) -> lapin::Result<u32> {
    let mut waiting = 0;
    for lane in 0..LANES {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::durable()
        };
        let queue = channel
            .queue_declare(
                lane_queue(name, lane).into(),
                options,
                FieldTable::default(),
            )
            .await?;
        waiting += queue.message_count();
    }
    Ok(waiting)
}

fn long(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
