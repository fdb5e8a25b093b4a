-- no-transaction
-- Why: every submit adds up the pictures of the stories that wait, from this index alone.
create index concurrently if not exists jobs_waiting_bytes on jobs (image_bytes) where state = 'queued';
