-- Why: a worker that dies takes down the jobs it was working on and those it merely held ready. Only the first can have
-- killed it: they are charged an attempt and run alone next time, the others are not to suffer for their neighbours.

-- Of the present lease: the engine has got it, or was about to.
alter table jobs add column begun boolean not null default false;
