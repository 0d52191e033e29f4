-- What became of users' messages, for those who want to see it, sealed to them (src/store/activity.rs). In clear stand the
-- user, the day, and the order of the rows.

-- The ephemeral key under which a relay sealed some rows of one user, in their order.
CREATE TABLE activity_chains (
    user      INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    chain     INTEGER NOT NULL,                  -- random
    ephemeral BLOB    NOT NULL CHECK (length(ephemeral) = 32),
    PRIMARY KEY (user, chain)
) STRICT, WITHOUT ROWID;

CREATE TABLE activity (
    id       INTEGER PRIMARY KEY,                -- the larger, the later
    user     INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    day      TEXT    NOT NULL,                   -- YYYY-MM-DD, UTC
    chain    INTEGER NOT NULL,
    position INTEGER NOT NULL,                   -- in its chain
    sealed   BLOB    NOT NULL                    -- always of one length
) STRICT;
CREATE INDEX activity_user ON activity (user);
CREATE INDEX activity_day ON activity (day);

-- Days of which rows are missing: they came faster than they were written.
CREATE TABLE activity_gaps (
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    day  TEXT    NOT NULL,
    PRIMARY KEY (user, day)
) STRICT, WITHOUT ROWID;

-- Who asked for the weekly digest, and when it was last sent.
CREATE TABLE digests (
    user INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sent INTEGER NOT NULL
) STRICT;
CREATE INDEX digests_sent ON digests (sent);
