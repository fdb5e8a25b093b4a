-- no-transaction
-- Why: those that ended so long ago that they are forgotten are found by their end, state by state.
create index concurrently if not exists jobs_ended on jobs (state, finished_at) where finished_at is not null;
