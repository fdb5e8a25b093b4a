-- no-transaction
-- Why: every submit looks whether its story is known, or is just being told.
create index concurrently if not exists jobs_telling on jobs (telling, id)
    where telling is not null and data_removed_at is null and state in ('queued', 'running', 'succeeded');
