-- Folders that the mail store was seen to file into, and the probe messages that are to prove one.

CREATE TABLE proven_folders (
    organisation INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE,
    delimiter    TEXT    NOT NULL CHECK (length(delimiter) = 1),
    folder       TEXT    NOT NULL,
    proven       INTEGER NOT NULL,
    PRIMARY KEY (organisation, delimiter, folder)
) STRICT, WITHOUT ROWID;

CREATE TABLE probes (
    id           INTEGER PRIMARY KEY,            -- the larger, the later
    organisation INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE,
    delimiter    TEXT    NOT NULL CHECK (length(delimiter) = 1),
    folder       TEXT    NOT NULL,
    code_hash    BLOB    NOT NULL UNIQUE CHECK (length(code_hash) = 32),   -- SHA-256; the code stands in the message alone
    sent         INTEGER NOT NULL
) STRICT;
CREATE INDEX probes_organisation ON probes (organisation, id);

-- Who chose something apart from the organisation: few do.
CREATE INDEX users_choices ON users (organisation, options) WHERE options <> 0;
