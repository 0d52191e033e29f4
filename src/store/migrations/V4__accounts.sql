-- Accounts of the console: sessions, sign-ins, users' own secrets and the personal lock. Codes stand in src/store/accounts/.

-- `hash` is the SHA-256 of an id that only the browser has; `data` is sealed under a key that only the id gives.
CREATE TABLE sessions (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    hash      BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    user      INTEGER REFERENCES users ON DELETE CASCADE,
    staff     INTEGER,
    opened_by INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    seen      INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    network   TEXT    NOT NULL,
    browser   TEXT    NOT NULL,
    data      BLOB    NOT NULL CHECK (length(data) <= 16384),
    CHECK (user IS NULL OR staff IS NULL)
) STRICT;
CREATE INDEX sessions_user ON sessions (user, id) WHERE user IS NOT NULL;
CREATE INDEX sessions_staff ON sessions (staff, id) WHERE staff IS NOT NULL;
CREATE INDEX sessions_nobody ON sessions (id) WHERE user IS NULL AND staff IS NULL;
CREATE INDEX sessions_expires ON sessions (expires);

-- Sign-ins that succeeded, the last few of each.
CREATE TABLE past_sign_ins (
    id        INTEGER PRIMARY KEY,               -- the larger, the later
    user      INTEGER REFERENCES users ON DELETE CASCADE,
    staff     INTEGER,
    at        INTEGER NOT NULL,
    opened_by INTEGER NOT NULL,
    network   TEXT    NOT NULL,
    browser   TEXT    NOT NULL,
    CHECK ((user IS NULL) <> (staff IS NULL))
) STRICT;
CREATE INDEX past_sign_ins_user ON past_sign_ins (user, id) WHERE user IS NOT NULL;
CREATE INDEX past_sign_ins_staff ON past_sign_ins (staff, id) WHERE staff IS NOT NULL;

-- Links and codes that were mailed, for addresses that somebody has and that nobody has alike.
CREATE TABLE mailed_sign_ins (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT    NOT NULL,                    -- normal form
    browser BLOB    NOT NULL CHECK (length(browser) = 32),        -- SHA-256 of what the browser that asked was given
    token   BLOB    NOT NULL UNIQUE CHECK (length(token) = 32),   -- SHA-256 of what the link carries
    code    BLOB    NOT NULL,                    -- HMAC of token and code, under a key derived from match.key
    wrong   INTEGER NOT NULL,                    -- codes that were wrong
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX mailed_sign_ins_address ON mailed_sign_ins (address, id);
CREATE INDEX mailed_sign_ins_browser ON mailed_sign_ins (browser, id);
CREATE INDEX mailed_sign_ins_expires ON mailed_sign_ins (expires);

-- Kinds: 0 password, 1 passkey, 2 recovery code. `wrapped` is the user's lock key under a key that only the secret gives.
CREATE TABLE secrets (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user       INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    kind       INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
    label      TEXT    NOT NULL,
    credential BLOB    UNIQUE,                   -- id of a passkey
    verifier   BLOB    NOT NULL,                 -- PHC string, state of a passkey as JSON, or hash
    wrapped    BLOB,
    created    INTEGER NOT NULL,
    last_used  INTEGER,
    CHECK ((credential IS NULL) = (kind <> 1))
) STRICT;
CREATE INDEX secrets_user ON secrets (user);
CREATE UNIQUE INDEX secrets_alone ON secrets (user, kind) WHERE kind <> 1;

-- The lock key of each user who has a secret, sealed to the store; null while the personal lock is on, when
-- users.private_wrap is 'lock' and the private key is wrapped under the lock key.
CREATE TABLE lock_keys (
    user   INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sealed BLOB
) STRICT;
