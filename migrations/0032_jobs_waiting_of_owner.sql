-- no-transaction
-- Why: every submit of a caller who may have so many waiting at once counts them.
create index concurrently if not exists jobs_waiting_of_owner on jobs (owner) where state = 'queued' and owner is not null;
