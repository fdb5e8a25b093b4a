-- Why: anybody's text can become a style. Making one takes a worker as telling a story does, so it is a job; what comes of
-- it must outlive the worker and reach all the others, so it is kept here and not with the weights.

alter table jobs add column kind text not null default 'story' check (kind in ('story', 'style'));

create table styles (
    name text primary key,
    job uuid not null unique references jobs (id) on delete cascade,
    description text not null,
    source text not null,
    -- what it is to be made of; given up once it is made
    text text,
    -- of the text: the same one sent again is the same style
    sha256 text not null,
    created_at timestamptz not null default now(),
    -- once it is made: with which bundle, out of how many passages, and what it is
    bundle text,
    passages integer,
    vector real[],
    check ((bundle is null) = (vector is null) and (bundle is null) = (passages is null)),
    check (bundle is not null or text is not null)
);
create index styles_of_bundle on styles (bundle) where bundle is not null;
