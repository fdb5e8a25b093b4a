-- Why: only a worker knows which styles its bundle can tell in, and the API, which may run elsewhere, must refuse others.

create table bundles (
    bundle text primary key,
    styles jsonb not null,
    registered_at timestamptz not null
);
