-- Why: a job is accepted once it is a row here, and everything that happens to it is one update of that row, so that
-- no crash can lose it or finish it twice. The attempts are kept apart because a job is read far more often than they are.

create table jobs (
    id uuid primary key,
    state text not null default 'queued'
        check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')),
    request jsonb not null,
    image jsonb,
    -- 0 goes first: the request's priority counted from the other end, so that one ascending index
    -- serves both claims and positions
    lane smallint not null,
    deadline timestamptz,
    attempts integer not null default 0,
    max_attempts integer not null,
    -- counts claims; a write that names an older one changes nothing
    lease bigint not null default 0,
    -- its last worker died, so it must not take a batch with it
    alone boolean not null default false,
    created_at timestamptz not null default now(),
    due_at timestamptz not null default now(),
    started_at timestamptz,
    heartbeat_at timestamptz,
    finished_at timestamptz,
    stage jsonb,
    result jsonb,
    error jsonb,
    check ((state = 'running') = (heartbeat_at is not null)),
    check ((state in ('queued', 'running')) = (finished_at is null)),
    check ((state = 'succeeded') = (result is not null))
)
-- a heartbeat a second rewrites running rows: room in the page keeps the indexes out of it
with (fillfactor = 80);

-- Claims: with the id in the index a claim stays fast however many rows wait.
create index jobs_waiting on jobs (lane, due_at, id) where state = 'queued';
-- The sweeper and the page of jobs in one state.
create index jobs_by_state on jobs (state, id);
create index jobs_deadline on jobs (deadline) where state = 'queued' and deadline is not null;
-- The pace: the stories told last.
create index jobs_told on jobs (finished_at) where state = 'succeeded';

create table attempts (
    job uuid not null references jobs (id) on delete cascade,
    lease bigint not null,
    worker text not null,
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    outcome text check (outcome in ('succeeded', 'failed', 'retry', 'returned', 'lost', 'cancelled')),
    error jsonb,
    primary key (job, lease),
    check ((ended_at is null) = (outcome is null))
);

-- Whoever makes a job due need not remember to wake the workers.
create function wake_workers() returns trigger language plpgsql as $$
begin
    perform pg_notify('job_due', '');
    return null;
end
$$;
create trigger job_submitted after insert on jobs for each row execute function wake_workers();
create trigger job_due_again after update of state on jobs for each row
    when (new.state = 'queued' and old.state <> 'queued') execute function wake_workers();

-- Whoever waits for a job need not ask again and again.
create function tell_of_change() returns trigger language plpgsql as $$
begin
    perform pg_notify('job_changed', new.id::text);
    return null;
end
$$;
create trigger job_changed after update of state, stage on jobs for each row
    when (old.state is distinct from new.state or old.stage is distinct from new.stage)
    execute function tell_of_change();
