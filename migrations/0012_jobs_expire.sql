-- no-transaction
-- Why: those whose time is over are looked for every minute, among very many whose is not.
create index concurrently if not exists jobs_expire on jobs (expires_at) where expires_at is not null;
