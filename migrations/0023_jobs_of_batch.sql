-- no-transaction
-- Why: a batch is shown with its stories in the order of the pictures, and counted at its end.
create index concurrently if not exists jobs_of_batch on jobs (batch, batch_number) where batch is not null;
