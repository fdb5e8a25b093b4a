-- Why: a worker must not lose its jobs because the database was away and could not hear it. The sweeper writes down when
-- it was last here; if it finds that it was kept away for long, nobody could say that he lives meanwhile, and from then on
-- everybody is given the time of a whole lease to say so. In the database, because the next sweep may be another process's.

create table sweeps (
    -- one row
    this boolean primary key default true check (this),
    seen_at timestamptz not null default now(),
    -- late heartbeats count from here on
    trusted_from timestamptz not null default now()
);
insert into sweeps default values;
