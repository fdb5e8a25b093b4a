//! The words to be sent to webhooks: claimed, settled, taken back from senders that died, listed, replayed.
//! The dispatcher claims and settles, the API lists and replays. What must stay true: one sender at a time holds a
//! delivery, its attempt is logged in the statement that claims it, and a write whose lease is over changes nothing.

use uuid::Uuid;

use super::audit::Deed;
use super::database::Connection;
use super::row::{count, failed};
use super::{Store, Written};
use crate::delivery::{Claim, Delivery, DeliveryAttempt, DeliveryLease, DeliveryState, Verdict};
use crate::error::Result;

const DOING: &str = "write what became of a webhook";
const LISTING: &str = "list the webhooks of a job";

impl Store {
    /// Takes up to `max` due deliveries for `sender`, never more to a host than may be under way to it, and none to
    /// those that have no place. They must be settled within `time`. Senders that claim in the same instant do not see
    /// each other's: what a host gets then is at most that much from each.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn claim_deliveries(&self, claim: &Claim<'_>) -> Result<Vec<DeliveryLease>> {
        let rows = sqlx::query!(
            "with busy as (
                select host, count(*) as places, case when host = any($5) then $4 else $6::bigint end as most
                from deliveries where state = 'sending' group by host
            ), due as (
                select job, number, host, due_at from deliveries
                where state = 'waiting' and due_at <= now()
                    and host not in (select host from busy where places >= most)
                    and (host = any($5) or not $8) and (host <> all($7) or not $9)
                order by due_at
                limit $2
                for update skip locked
            ), ranked as (
                select job, number, row_number() over (partition by host order by due_at) as rank,
                    coalesce((select most - places from busy where busy.host = due.host),
                        case when host = any($5) then $4 else $6::bigint end) as room
                from due
            ), taken as (
                update deliveries
                set state = 'sending', lease = lease + 1, attempts = attempts + 1,
                    leased_until = now() + make_interval(secs => $3)
                from ranked where deliveries.job = ranked.job and deliveries.number = ranked.number and rank <= room
                returning deliveries.*
            ), logged as (
                insert into delivery_attempts (job, number, lease, sender) select job, number, lease, $1 from taken
            )
            select job, number, lease, attempts, event, url, host, created_at, data from taken order by due_at",
            claim.sender,
            i64::try_from(claim.max).unwrap_or(i64::MAX),
            claim.time.as_secs_f64(),
            i64::try_from(claim.most_a_host).unwrap_or(i64::MAX),
            claim.quick,
            i64::try_from(claim.most_a_stranger).unwrap_or(i64::MAX),
            claim.slow,
            claim.quick_only,
            claim.no_slow,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("take deliveries", error))?;
        let leases = rows.into_iter().map(|row| DeliveryLease {
            job: row.job,
            number: count(row.number),
            lease: row.lease,
            attempts: count(row.attempts),
            event: row.event,
            url: row.url,
            host: row.host,
            created_at: row.created_at,
            data: row.data,
        });
        Ok(leases.collect())
    }

    /// Writes how an attempt ended, unless its lease is over. Of a `Gone` address all that waits is disabled.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then it may be written again.
    pub async fn finish_delivery(
        &self,
        held: &DeliveryLease,
        verdict: &Verdict,
    ) -> Result<Written> {
        let mut transaction = self
            .database
            .begin()
            .await
            .map_err(|error| failed(DOING, error))?;
        let (state, wait) = match verdict {
            Verdict::Delivered { .. } => (DeliveryState::Delivered, None),
            Verdict::Again { wait, .. } => (DeliveryState::Waiting, Some(*wait)),
            Verdict::Failed { .. } => (DeliveryState::Failed, None),
            Verdict::Gone { .. } => (DeliveryState::Disabled, None),
        };
        let written = sqlx::query!(
            "with settled as (
                update deliveries
                set state = $4, leased_until = null, due_at = now() + make_interval(secs => $5),
                    ended_at = case when $4 = 'waiting' then null else now() end
                where job = $1 and number = $2 and state = 'sending' and lease = $3
                returning job, number, lease
            )
            update delivery_attempts as attempt set ended_at = now(), status = $6, error = $7
            from settled
            where attempt.job = settled.job and attempt.number = settled.number and attempt.lease = settled.lease",
            held.job,
            number(held.number),
            held.lease,
            state.name(),
            wait.unwrap_or_default().as_secs_f64(),
            verdict.status().and_then(|status| i16::try_from(status).ok()),
            verdict.error(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(|error| failed(DOING, error))?;
        if written.rows_affected() == 0 {
            return Ok(Written::Stale);
        }
        if matches!(verdict, Verdict::Gone { .. }) {
            sqlx::query!(
                "with gone as (insert into gone_addresses (url) values ($1) on conflict do nothing)
                update deliveries set state = 'disabled', ended_at = now() where url = $1 and state = 'waiting'",
                held.url,
            )
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(DOING, error))?;
        }
        transaction
            .commit()
            .await
            .map_err(|error| failed(DOING, error))?;
        Ok(Written::Done)
    }

    /// Takes deliveries back from senders that died: they are due at once, and what they were charged stays.
    /// Those that were on their last attempt, the `most`th, fail.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn take_back_deliveries(&self, most: u32) -> Result<u64> {
        let taken = sqlx::query!(
            "with lost as (
                select job, number from deliveries
                where state = 'sending' and leased_until < now() limit 1000 for update skip locked
            ), taken as (
                update deliveries
                set state = case when attempts < $1 then 'waiting' else 'failed' end, leased_until = null,
                    ended_at = case when attempts < $1 then null else now() end, due_at = now()
                from lost where deliveries.job = lost.job and deliveries.number = lost.number
                returning deliveries.job, deliveries.number, deliveries.lease
            )
            update delivery_attempts as attempt
            set ended_at = now(), error = 'the sender was not heard of again; it may or may not have been sent'
            from taken
            where attempt.job = taken.job and attempt.number = taken.number and attempt.lease = taken.lease",
            number(most),
        )
        .execute(&self.database)
        .await
        .map_err(|error| failed("take deliveries back", error))?;
        Ok(taken.rows_affected())
    }

    /// The deliveries of a job with their attempts, in order.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn deliveries(&self, job: Uuid) -> Result<Vec<Delivery>> {
        let said = |error| failed(LISTING, error);
        // of one moment: what is being sent has an attempt that has not ended
        let mut transaction = self.database.begin_reading().await.map_err(said)?;
        let rows = sqlx::query!(
            "select number, event, url, state, due_at, created_at, ended_at
            from deliveries where job = $1 order by number",
            job,
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(said)?;
        let mut attempts = delivery_attempts(&mut transaction, job).await?;
        let deliveries = rows.into_iter().filter_map(|row| {
            let own = attempts.extract_if(.., |(number, _)| *number == row.number);
            let attempts = own.map(|(_, attempt)| attempt).collect();
            let Some(state) = DeliveryState::named(&row.state) else {
                tracing::error!(%job, state = row.state, "a webhook in an unknown state is left out of a list");
                return None;
            };
            Some(Delivery {
                number: count(row.number),
                event: row.event,
                url: row.url,
                state,
                due_at: row.due_at,
                created_at: row.created_at,
                ended_at: row.ended_at,
                attempts,
            })
        });
        Ok(deliveries.collect())
    }

    /// Makes a delivery due now, with the whole schedule before it again, and its address no longer `Gone`. One that
    /// is being sent at this moment stays as it is. False if there is no such delivery.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn replay_delivery(&self, job: Uuid, delivery: u32) -> Result<bool> {
        let said = |error| failed("replay a webhook", error);
        let mut transaction = self.database.begin().await.map_err(said)?;
        let found = sqlx::query_scalar!(
            r#"with found as (
                select job, number, url, state from deliveries where job = $1 and number = $2 for update
            ), forgiven as (
                delete from gone_addresses using found where gone_addresses.url = found.url
            ), due as (
                update deliveries set state = 'waiting', attempts = 0, due_at = now(), ended_at = null
                from found
                where deliveries.job = found.job and deliveries.number = found.number and found.state <> 'sending'
            )
            select pg_notify('delivery_due', '')::text as "told" from found"#,
            job,
            number(delivery),
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(said)?;
        if found.is_none() {
            return Ok(false);
        }
        let object = format!("{job}/{delivery}");
        self.note(&mut transaction, Deed::WebhookReplayed, &object)
            .await?;
        transaction.commit().await.map_err(said)?;
        Ok(true)
    }
}

/// Numbers of deliveries are small; one that is not is nobody's.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// All attempts of a job's deliveries, each with the number of its delivery.
async fn delivery_attempts(
    connection: &mut Connection,
    job: Uuid,
) -> Result<Vec<(i32, DeliveryAttempt)>> {
    let rows = sqlx::query!(
        "select number, started_at, ended_at, status, error
            from delivery_attempts where job = $1 order by number, lease",
        job,
    )
    .fetch_all(connection)
    .await
    .map_err(|error| failed(LISTING, error))?;
    let attempts = rows.into_iter().map(|row| {
        let attempt = DeliveryAttempt {
            started_at: row.started_at,
            ended_at: row.ended_at,
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            error: row.error,
        };
        (row.number, attempt)
    });
    Ok(attempts.collect())
}
