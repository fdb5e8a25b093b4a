-- Why: the same picture, asked for in the same way, becomes the same story, so it need not be told twice: what is told
-- already is answered at once, and who asks for what is being told waits for that. Everybody keeps a job, a picture and an
-- end of his own, so nobody's story depends on what somebody else does with his.
-- Expand only: programs of before name no story by what it is; they never claim one that waits for another, as it is not
-- due; and the trigger lets those who wait go on, whoever ends the one that they wait for.

alter table jobs
    -- a hash of the picture and of every wish that changes the story; none if it is to be told in any case
    add column telling text,
    -- 'hit' or 'coalesced' if it was not told for itself
    add column answered text,
    -- the job that tells the same; until that has ended this one is not due
    add column follows uuid;

create function release_followers() returns trigger language plpgsql as $$
declare
    heir uuid;
begin
    if new.state = 'succeeded' and new.result is not null then
        update jobs
        set state = 'succeeded', result = new.result, error = null, follows = null, due_at = created_at,
            started_at = greatest(created_at, new.started_at), finished_at = now(),
            said = jsonb_path_query_array(new.events, '$[*] ? (@.event == "captions" || @.event == "sentence")')
        where follows = new.id and state = 'queued';
        return null;
    end if;
    -- the first of those who wait is told now, in the place in the queue that was his from the beginning; the others go on
    -- waiting, for him
    loop
        update jobs set follows = null, answered = null, due_at = created_at
        where id = (select id from jobs where follows = new.id and state = 'queued' order by lane, id limit 1)
            and follows = new.id and state = 'queued'
        returning id into heir;
        -- he may have been cancelled a moment ago
        exit when heir is not null or not exists (select from jobs where follows = new.id and state = 'queued');
    end loop;
    if heir is not null then
        update jobs set follows = heir where follows = new.id and state = 'queued';
        perform pg_notify('job_due', '');
    end if;
    return null;
end
$$;
create trigger job_followed after update of state on jobs for each row
    when (old.state in ('queued', 'running') and new.state not in ('queued', 'running'))
    execute function release_followers();
