-- What users keep beside their entries: notes, whether they confirmed what others added, and what undoing goes by.

ALTER TABLE entries ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 1;
ALTER TABLE entries ADD COLUMN change INTEGER NOT NULL DEFAULT 0;        -- id of the row of the journal that put it there
UPDATE entries SET confirmed = 0 WHERE origin <> 0;

-- A note belongs to what an entry says, on whichever lists that stands. One that was replaced, or whose entry was
-- removed, is kept as long as that can be undone.
CREATE TABLE notes (
    id          INTEGER PRIMARY KEY,
    user        INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 16),
    batch       INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    sealed      BLOB    NOT NULL,                -- the fingerprint and the text, to the user's public key
    change      INTEGER NOT NULL,                -- id of the row of the journal that wrote it
    ended       INTEGER,
    ended_by    INTEGER                          -- id of the row of the journal that ended it
) STRICT;
CREATE UNIQUE INDEX notes_current ON notes (user, fingerprint) WHERE ended IS NULL;
CREATE INDEX notes_user ON notes (user, ended_by);
CREATE INDEX notes_ended ON notes (ended) WHERE ended IS NOT NULL;
