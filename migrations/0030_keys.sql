-- Why: a service that others can reach must know who asks. A caller is known by a key; what he hands in is his, and nobody
-- else's key sees it. Of a key only a hash is kept: whoever reads this table can ask for nothing.
-- Keys are revoked, never deleted: a service that has had one goes on asking for one, and what a key owned has an owner.
-- Expand only: programs of before write no owner, and what has none belongs to nobody.

create table api_keys (
    id uuid primary key,
    -- what is shown of it: `st_` and eight digits
    prefix text not null unique,
    -- SHA-256 of the whole key
    hash bytea not null unique check (octet_length(hash) = 32),
    name text not null,
    -- each may do what those before it may
    scope text not null check (scope in ('read', 'write', 'admin')),
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    -- to the minute
    last_used_at timestamptz,
    -- none is no limit of its own
    requests_a_minute integer check (requests_a_minute > 0),
    submits_a_minute integer check (submits_a_minute > 0),
    waiting integer check (waiting > 0),
    stories_a_day integer check (stories_a_day > 0),
    -- what webhooks of its jobs are signed with, if not with the service's own: must be known to sign, so it is no hash
    webhook_secret text
);

-- What a key has handed in, day by day: counted here because stories are forgotten sooner or later.
create table key_days (
    key uuid not null references api_keys (id),
    day date not null,
    stories integer not null,
    primary key (key, day)
);

-- A browser that somebody has let in with a key.
create table sessions (
    hash bytea primary key check (octet_length(hash) = 32),
    key uuid not null references api_keys (id),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_of_key on sessions (key);

-- Who did what that others may ask about.
create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    -- the prefix of a key, or who acted at the command line
    who text not null,
    what text not null,
    -- the story, the style, the key it was done to
    object text not null,
    -- the address it came from
    origin text
);
create index audit_at on audit (at);

-- Without a reference: keys are never deleted, and a reference would lock both tables for every job.
alter table jobs add column owner uuid;
alter table batches add column owner uuid;
