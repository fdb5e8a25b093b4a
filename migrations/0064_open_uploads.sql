-- Why: an address to send a picture to costs nothing until it is used, so whoever asks for thousands can fill the picture store.
-- What is open is counted for each caller; a picture's name says whose it is, but not which addresses were given out and are unused.
-- A caller clears away his own that are over, so this table has no more rows than callers may have open.
-- Expand only: programs of before neither count nor close; what they are told of ends by its time.

create table open_uploads (
    id uuid primary key,
    -- without a reference, as in jobs; zeros for all callers without a key
    owner uuid not null,
    until timestamptz not null
);
create index open_uploads_of_owner on open_uploads (owner, until);
