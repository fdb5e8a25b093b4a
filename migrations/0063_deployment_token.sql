-- Why: a copy of a database has the id of the original, so with the same place for pictures the chores of either would delete
-- what only the other knows. Each chore leaves a token with the pictures and remembers it here: a token that is not
-- remembered is a copy's. The one before is kept for whoever dies between the two.
-- Expand only: programs of before do not look.

alter table deployment add column token uuid;
alter table deployment add column token_before uuid;
