-- Why: what waits is bounded by the bytes of its pictures as well as by its number, or ten thousand stories of 20 MiB fill any disk.
-- Every submit adds them up, so the size stands beside the row and not only inside its JSON.
-- Expand only: a trigger writes it, whichever version hands the job in, and when a job of before waits again.

alter table jobs add column image_bytes bigint;

create function size_picture() returns trigger language plpgsql as $$
begin
    new.image_bytes := (new.image ->> 'bytes')::bigint;
    return new;
end
$$;
create trigger job_sized before insert on jobs for each row
    when (new.image is not null) execute function size_picture();
create trigger job_sized_again before update of state on jobs for each row
    when (new.state = 'queued' and new.image_bytes is null and new.image is not null) execute function size_picture();
