-- Why: what somebody sent is his. He may have it removed, then the row stays behind without picture and story; and he may
-- show it to everybody who uses the service, and think better of it. Both are moments: a gallery goes by the second.

alter table jobs add column data_removed_at timestamptz;
alter table jobs add column shared_at timestamptz;

-- A story whose words were removed was told nevertheless.
alter table jobs drop constraint jobs_check2;
alter table jobs add constraint jobs_told check ((state = 'succeeded') = (result is not null) or data_removed_at is not null);
-- Nothing that was removed is on show.
alter table jobs add constraint jobs_shown check (shared_at is null or data_removed_at is null);

create index jobs_shared on jobs (shared_at, id) where shared_at is not null and state = 'succeeded';
