-- Why: whoever has an album sends it at once and wants to be told once. A batch counts its stories that have not ended;
-- whoever ends the last one, by whatever way, writes the one word to be sent, in the same transaction.
-- Expand only: programs of before know no batches, and the triggers count what they end and forget, too.

create table batches (
    id uuid primary key,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    -- pictures that were sent
    size integer not null,
    -- stories that have not ended
    open integer not null,
    -- of pictures that were not taken: [{number, error}]
    refused jsonb not null,
    webhook_url text,
    check ((open = 0) = (finished_at is not null))
);
alter table jobs
    add column batch uuid references batches (id),
    -- its place among the pictures of the batch, from 0
    add column batch_number integer;

-- What a message says that is not about one job.
alter table deliveries add column data jsonb;

create function count_batch() returns trigger language plpgsql as $$
declare
    ended boolean := new.state not in ('queued', 'running');
    done batches;
    gone boolean;
begin
    -- the row of the batch is locked: of two stories that end at once one is the last
    update batches
    set open = open + case when ended then -1 else 1 end,
        finished_at = case when ended and open = 1 then now() end
    where id = new.batch
    returning * into done;
    if done.finished_at is null or done.webhook_url is null then
        return null;
    end if;
    gone := exists (select from gone_addresses where url = done.webhook_url);
    insert into deliveries (job, number, event, url, state, ended_at, data)
    select new.id, 1 + coalesce(max(number), 0), 'batch.finished', done.webhook_url,
        case when gone then 'disabled' else 'waiting' end, case when gone then now() end,
        jsonb_build_object('id', done.id, 'created_at', done.created_at, 'finished_at', done.finished_at,
            'size', done.size, 'refused', jsonb_array_length(done.refused), 'stories', (
                select jsonb_object_agg(state, stories) from (
                    select state, count(*) as stories from jobs where batch = new.batch group by state
                ) as ends
            ))
    from deliveries where job = new.id;
    perform pg_notify('delivery_due', '');
    return null;
end
$$;
create trigger job_of_batch after update of state on jobs for each row
    when (new.batch is not null
        and (old.state in ('queued', 'running')) <> (new.state in ('queued', 'running')))
    execute function count_batch();
-- A job may be answered from what is known already: then it ends as it comes.
create trigger job_of_batch_at_once after insert on jobs for each row
    when (new.batch is not null and new.state not in ('queued', 'running'))
    execute function count_batch();

-- A batch is forgotten with the last of its stories.
create function forget_batch() returns trigger language plpgsql as $$
begin
    delete from batches where id = old.batch and not exists (select from jobs where batch = old.batch);
    return null;
end
$$;
create trigger job_of_batch_forgotten after delete on jobs for each row
    when (old.batch is not null) execute function forget_batch();
