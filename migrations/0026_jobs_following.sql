-- no-transaction
-- Why: every job that ends looks for those who wait for it.
create index concurrently if not exists jobs_following on jobs (follows, lane, id) where follows is not null and state = 'queued';
