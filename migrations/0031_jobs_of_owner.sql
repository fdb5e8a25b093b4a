-- no-transaction
-- Why: a caller's stories are listed page by page, among very many of others.
create index concurrently if not exists jobs_of_owner on jobs (owner, id) where owner is not null;
