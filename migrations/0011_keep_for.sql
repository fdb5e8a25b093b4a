-- Why: stories are kept for a time and not for ever. Whoever asks for one may say for how long (`keep_for`, in seconds); the
-- moment is written down by a trigger when the job ends, however it ends, and taken back when it is tried again.
-- Expand only: programs of before do not know the column, and the trigger works for them too.

alter table jobs add column expires_at timestamptz;

create function note_expiry() returns trigger language plpgsql as $$
begin
    new.expires_at := case
        when new.finished_at is not null and jsonb_typeof(new.request -> 'keep_for') = 'number'
        then new.finished_at + make_interval(secs => (new.request ->> 'keep_for')::double precision)
    end;
    return new;
end
$$;
create trigger job_expires before update of state on jobs for each row
    when (old.state is distinct from new.state) execute function note_expiry();
create trigger job_expires_at_once before insert on jobs for each row
    when (new.finished_at is not null) execute function note_expiry();
