-- Why: whoever follows a story hears of everything once and in order, also when he comes back later, to another process or
-- after a restart. So what happens to a job is numbered and kept in its own row, by a trigger, in the very statement in
-- which it happens: nobody can forget to say it, and a job that is deleted takes its events along.

alter table jobs
    -- {id, event, data}: states, captions, sentences, the end
    add column events jsonb not null default '[]',
    -- the number of the last one; progress counts too, but only the present one is kept, in `stage`
    add column last_event integer not null default 0,
    add column stage_event integer not null default 0,
    -- a worker puts here what is to become events: [{event, data}]
    add column said jsonb;

create function log_events() returns trigger language plpgsql as $$
declare
    word jsonb;
begin
    -- jobs of the time before this table kept events are taken to have had two
    if tg_op = 'UPDATE' and old.last_event = 0 then
        new.last_event := 2;
    end if;
    for word in select jsonb_array_elements(coalesce(new.said, '[]')) loop
        new.last_event := new.last_event + 1;
        new.events := new.events || jsonb_build_array(word || jsonb_build_object('id', new.last_event));
    end loop;
    new.said := null;
    if tg_op = 'INSERT' or new.state <> old.state then
        if new.state = 'running' then
            -- another attempt finds and writes everything anew
            new.events := jsonb_path_query_array(new.events, '$[*] ? (@.event == "state" || @.event == "end")');
        end if;
        new.last_event := new.last_event + 1;
        new.events := new.events || jsonb_build_array(jsonb_build_object('id', new.last_event, 'event', 'state',
            'data', jsonb_build_object('state', new.state, 'at', now())));
        if new.state not in ('queued', 'running') then
            new.last_event := new.last_event + 1;
            new.events := new.events || jsonb_build_array(jsonb_build_object('id', new.last_event, 'event', 'end'));
        end if;
    end if;
    if tg_op = 'UPDATE' and new.stage is not null and new.stage is distinct from old.stage then
        new.last_event := new.last_event + 1;
        new.stage_event := new.last_event;
    end if;
    return new;
end
$$;
create trigger job_comes before insert on jobs for each row execute function log_events();
create trigger job_moves before update on jobs for each row
    when (new.said is not null or new.state <> old.state or new.stage is distinct from old.stage)
    execute function log_events();

-- Whoever waits hears of every event, and of a change of what may be seen.
drop trigger job_changed on jobs;
create trigger job_changed after update on jobs for each row
    when (new.last_event <> old.last_event or new.shared_at is distinct from old.shared_at
        or new.data_removed_at is distinct from old.data_removed_at)
    execute function tell_of_change();
