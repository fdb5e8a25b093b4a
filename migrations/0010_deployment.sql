-- Why: pictures lie beside the database, not in it, and a chore that deletes the ones without a job must be sure that this
-- is the database that belongs to them. It may have been restored, begun anew, or be another service's on the same store:
-- so the database has a name of its own, every picture's name begins with it, and the store is marked with it.
-- Expand only: programs of before go on as they did with names that do not begin so.

create table deployment (
    -- one row
    this boolean primary key default true check (this),
    id uuid not null default gen_random_uuid()
);
insert into deployment default values;

-- Pictures that no job has, and since when: they are deleted once they have been here for long.
create table trash (
    key text primary key,
    since timestamptz not null default now()
);
