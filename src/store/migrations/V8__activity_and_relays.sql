-- Rows of activity are numbered for each user alone: a number that all share would count other people's mail. And by their
-- chain, so that a chain without rows is found without reading the others.

ALTER TABLE activity ADD COLUMN number INTEGER NOT NULL DEFAULT 0; -- the larger, the later, of this user
UPDATE activity SET number = counted.number
    FROM (SELECT id, row_number() OVER (PARTITION BY user ORDER BY id) AS number FROM activity) AS counted
    WHERE counted.id = activity.id;
DROP INDEX IF EXISTS activity_user;
CREATE UNIQUE INDEX activity_number ON activity (user, number);
CREATE INDEX activity_chain ON activity (user, chain);

-- Which relays run on this store, or ran until they could not say that they ended (src/store/relay.rs).
CREATE TABLE relays (
    run     INTEGER PRIMARY KEY,                 -- random, of one run of one process
    name    TEXT    NOT NULL,
    version TEXT    NOT NULL,
    started INTEGER NOT NULL,
    seen    INTEGER NOT NULL,                    -- when it last said so
    missed  INTEGER NOT NULL DEFAULT 0,          -- 1: it is taken for gone, and the days are marked whose rows it may have lost
    status  TEXT    NOT NULL                     -- JSON; no address is in it
) STRICT;
