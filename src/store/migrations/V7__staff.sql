-- Managers and operators of the console, and what managers announce to their users.

CREATE TABLE staff (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,          -- never used again
    address      TEXT    NOT NULL UNIQUE,                    -- normal form; the name they sign in with
    organisation INTEGER REFERENCES organisations ON DELETE CASCADE,   -- whose manager; null for an operator
    status       INTEGER NOT NULL DEFAULT 0,                 -- 0 active, 1 disabled
    password     TEXT,                                       -- PHC string; null until enrolled
    totp_salt    BLOB    CHECK (length(totp_salt) = 32),     -- the TOTP secret is derived from it and seal.key
    totp_step    INTEGER NOT NULL DEFAULT 0,                 -- of the last code that was used: none is taken twice
    created      INTEGER NOT NULL,
    last_sign_in INTEGER,
    CHECK ((password IS NULL) = (totp_salt IS NULL))
) STRICT;
CREATE INDEX staff_organisation ON staff (organisation);

-- Who may enrol: at most one code each, known by its hash.
CREATE TABLE enrolments (
    staff     INTEGER PRIMARY KEY REFERENCES staff ON DELETE CASCADE,
    code_hash BLOB    NOT NULL UNIQUE CHECK (length(code_hash) = 32),   -- SHA-256
    totp_salt BLOB    NOT NULL CHECK (length(totp_salt) = 32),
    expires   INTEGER NOT NULL
) STRICT;

CREATE INDEX grants_grantee ON grants (grantee);

-- What changed for the users of an organisation: the last time for each kind. Numbers grow within the organisation.
CREATE TABLE announcements (
    organisation INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE,
    kind         TEXT    NOT NULL,
    number       INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (organisation, kind)
) STRICT, WITHOUT ROWID;

-- Up to which number a user has put them away.
CREATE TABLE announcements_seen (
    user    INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    through INTEGER NOT NULL
) STRICT;
