-- Why: where RabbitMQ rings for jobs, somebody must know for which jobs it has not rung yet. The job's own row is that
-- outbox: it comes with the job in one transaction, and a job that waits again asks for another ring in the same
-- statement that makes it wait, whoever writes it.

-- When the broker was last told; none means that it is still to be told.
alter table jobs add column rung_at timestamptz;
create index jobs_to_ring on jobs (due_at, id) where state = 'queued' and rung_at is null;
create index jobs_rung on jobs (rung_at) where state = 'queued' and rung_at is not null;

create function ask_for_a_ring() returns trigger language plpgsql as $$
begin
    new.rung_at := null;
    return new;
end
$$;
create trigger job_to_ring before update of state on jobs for each row
    when (new.state = 'queued' and old.state <> 'queued') execute function ask_for_a_ring();
