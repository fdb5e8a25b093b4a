-- Why: whoever asked for a story can be told of its end without asking again. The word to be sent is written by a
-- trigger in the very transaction that ends the job, so no way of ending one, now or later, can forget it, and a crash
-- before the commit takes both back.

-- Addresses whose owner has answered 410 Gone: nothing is sent there until somebody replays a delivery.
create table gone_addresses (
    url text primary key,
    since timestamptz not null default now()
);

create table deliveries (
    job uuid not null references jobs (id) on delete cascade,
    -- counts the ends of a job, which a retry by hand can give several
    number integer not null,
    event text not null,
    url text not null,
    -- a slow receiver gets only some of the places
    host text not null generated always as (lower(coalesce(substring(url from '^[a-z]+://([^/?#]+)'), ''))) stored,
    state text not null default 'waiting'
        check (state in ('waiting', 'sending', 'delivered', 'failed', 'disabled')),
    -- since the last replay; the schedule goes by it
    attempts integer not null default 0,
    -- counts claims; a write that names an older one changes nothing
    lease bigint not null default 0,
    leased_until timestamptz,
    due_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    primary key (job, number),
    check ((state = 'sending') = (leased_until is not null)),
    check ((state in ('waiting', 'sending')) = (ended_at is null))
);
create index deliveries_due on deliveries (due_at) where state = 'waiting';
create index deliveries_sending on deliveries (leased_until) where state = 'sending';

create table delivery_attempts (
    job uuid not null,
    number integer not null,
    lease bigint not null,
    sender text not null,
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    -- the receiver's status, if it answered
    status smallint,
    -- what was wrong, if anything was
    error text,
    primary key (job, number, lease),
    foreign key (job, number) references deliveries (job, number) on delete cascade
);

-- Things to do now and then by whoever comes first.
create table chores (
    name text primary key,
    due_at timestamptz not null
);

create function tell_of_end() returns trigger language plpgsql as $$
declare
    address text := new.request ->> 'webhook_url';
    wanted jsonb := coalesce(new.request -> 'webhook_events', '[]');
    gone boolean;
begin
    if wanted <> '[]' and not wanted ? ('story.' || new.state) then
        return null;
    end if;
    gone := exists (select from gone_addresses where url = address);
    insert into deliveries (job, number, event, url, state, ended_at)
    select new.id, 1 + coalesce(max(number), 0), 'story.' || new.state, address,
        case when gone then 'disabled' else 'waiting' end, case when gone then now() end
    from deliveries where job = new.id;
    perform pg_notify('delivery_due', '');
    return null;
end
$$;
create trigger job_ended after update of state on jobs for each row
    when (old.state in ('queued', 'running') and new.state not in ('queued', 'running')
        and new.request ->> 'webhook_url' is not null)
    execute function tell_of_end();
-- A job may be answered from what is known already: then it ends as it comes.
create trigger job_ended_at_once after insert on jobs for each row
    when (new.state not in ('queued', 'running') and new.request ->> 'webhook_url' is not null)
    execute function tell_of_end();
