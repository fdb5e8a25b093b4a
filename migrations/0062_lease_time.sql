-- Why: while an option changes, some workers beat by the old lease and some sweep by the new one. Each job says how long its holder
-- may be silent; where it says nothing, an older version holds it.
alter table jobs add column lease_time double precision;
