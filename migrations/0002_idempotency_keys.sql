-- Why: a caller who got no answer sends the same submit again; the key makes the second one find the first one's job.

create table idempotency_keys (
    key text primary key,
    fingerprint text not null,
    job uuid not null references jobs (id) on delete cascade,
    created_at timestamptz not null default now()
);
-- Keys are forgotten after a day.
create index idempotency_keys_age on idempotency_keys (created_at);
create index idempotency_keys_job on idempotency_keys (job);
