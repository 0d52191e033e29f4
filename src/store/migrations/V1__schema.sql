-- The schema of the embedded store.
--
-- Times are seconds since 1970, UTC. Numbers of codes stand in src/policy/list.rs (lists 0 white, 1 black, 2 personal;
-- scopes) and src/store/types.rs. No table holds the plain value of a user's entry.

PRAGMA application_id = 0x5045534f;

-- One row: what never changes.
CREATE TABLE store (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    epoch       BLOB    NOT NULL CHECK (length(epoch) = 16),        -- random; another one is another store
    match_check BLOB    NOT NULL CHECK (length(match_check) = 32),  -- derived from match.key: finds a foreign key
    seal_public BLOB    NOT NULL CHECK (length(seal_public) = 32),  -- X25519; its private half is seal.key
    created     INTEGER NOT NULL
) STRICT;

-- One row: what each transaction moves on.
CREATE TABLE state (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,                            -- of the last change
    pruned   INTEGER NOT NULL,                            -- changes up to this one are forgotten
    journal  INTEGER NOT NULL,                            -- id of the last row of the journal
    sum      BLOB    NOT NULL CHECK (length(sum) = 16),   -- over all packed rows and journal heads: finds older ones
    mac      BLOB    NOT NULL                             -- over epoch, revision, journal and sum
) STRICT;

CREATE TABLE organisations (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again
    name     TEXT    NOT NULL UNIQUE,
    settings TEXT    NOT NULL,                   -- JSON, see src/store/settings.rs
    created  INTEGER NOT NULL
) STRICT;

CREATE TABLE domains (
    name         TEXT    NOT NULL PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX domains_organisation ON domains (organisation);

-- Business domains that no user may declare personal.
CREATE TABLE protected_domains (
    organisation INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT, WITHOUT ROWID;

-- An organisation's own lists: nobody's private contacts, readable.
CREATE TABLE own_entries (
    organisation INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE,
    level        TEXT    NOT NULL CHECK (level IN ('enforced', 'default')),
    list         INTEGER NOT NULL CHECK (list BETWEEN 0 AND 1),
    value        TEXT    NOT NULL,
    PRIMARY KEY (organisation, level, list, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id           INTEGER PRIMARY KEY,            -- 63 random bits
    organisation INTEGER NOT NULL REFERENCES organisations,
    status       INTEGER NOT NULL,               -- 0 active, 1 disabled
    kind         INTEGER NOT NULL,               -- 0 person, 1 functional mailbox
    options      INTEGER NOT NULL,               -- see UserOptions::to_bits
    public_key   BLOB    NOT NULL CHECK (length(public_key) = 32),   -- X25519
    private_wrap TEXT    NOT NULL CHECK (private_wrap IN ('seal', 'lock')),
    private_key  BLOB    NOT NULL,               -- sealed to store.seal_public, or to the user's own secrets
    created      INTEGER NOT NULL
) STRICT;
CREATE INDEX users_organisation ON users (organisation);

CREATE TABLE addresses (
    address TEXT    NOT NULL PRIMARY KEY,        -- normal form
    user    INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    kind    INTEGER NOT NULL                     -- 0 primary, 1 alias
) STRICT, WITHOUT ROWID;
CREATE INDEX addresses_user ON addresses (user, kind, address);

-- What the relay loads: one authenticated row a user.
CREATE TABLE packed (
    user            INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    organisation    INTEGER NOT NULL,
    options         INTEGER NOT NULL,            -- those of the user; paused as well while the account is disabled
    revision        INTEGER NOT NULL,            -- grows with each change of this user
    fingerprint_key BLOB    NOT NULL,            -- wrapped under match.key
    lists           BLOB    NOT NULL,            -- see src/store/packed.rs
    mac             BLOB    NOT NULL CHECK (length(mac) = 16)
) STRICT;

-- The ephemeral key under which one change sealed its values; the number is the user's revision at that change.
CREATE TABLE batches (
    user      INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    batch     INTEGER NOT NULL,
    ephemeral BLOB    NOT NULL CHECK (length(ephemeral) = 32),
    PRIMARY KEY (user, batch)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    user        INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    list        INTEGER NOT NULL CHECK (list BETWEEN 0 AND 2),
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 16),
    scope       INTEGER NOT NULL,
    batch       INTEGER NOT NULL,
    position    INTEGER NOT NULL,                -- of the value in its batch: the nonce
    sealed      BLOB    NOT NULL,                -- the value, to the user's public key
    pattern     BLOB,                            -- of a glob: wrapped under match.key as well
    origin      INTEGER NOT NULL,                -- 0 user, 1 administrator, 2 import
    created     INTEGER NOT NULL,
    PRIMARY KEY (user, list, fingerprint)
) STRICT, WITHOUT ROWID;

-- Every change. A payload is sealed to the user (batch and position tell how) or plain (batch is null); erasing it
-- leaves its digest, so the chain still verifies.
CREATE TABLE journal (
    id           INTEGER PRIMARY KEY,            -- see state.journal
    organisation INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    user         INTEGER,
    batch        INTEGER,
    position     INTEGER,
    payload      BLOB,
    digest       BLOB    NOT NULL CHECK (length(digest) = 32)   -- SHA-256 of the payload
) STRICT;
CREATE INDEX journal_organisation ON journal (organisation);
CREATE INDEX journal_user ON journal (user) WHERE user IS NOT NULL;

-- The chain: one block an organisation and transaction, each signed, so that the oldest can be cut off.
CREATE TABLE journal_blocks (
    organisation INTEGER NOT NULL,
    block        INTEGER NOT NULL,
    first        INTEGER NOT NULL,               -- id of its first row
    last         INTEGER NOT NULL,
    rows         INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    previous     BLOB    NOT NULL CHECK (length(previous) = 32),
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    mac          BLOB    NOT NULL,
    PRIMARY KEY (organisation, block)
) STRICT, WITHOUT ROWID;

-- What followers read. Kinds: 0 user, 1 address taken from a user, 2 organisation.
CREATE TABLE changes (
    revision     INTEGER PRIMARY KEY,
    kind         INTEGER NOT NULL,
    user         INTEGER,
    address_hash BLOB,                           -- keyed; the address itself does not outlive its user
    organisation INTEGER
) STRICT;

-- Leave to read one list, given by its user.
CREATE TABLE grants (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    user      INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    grantee   TEXT    NOT NULL,
    list      INTEGER NOT NULL CHECK (list BETWEEN 0 AND 2),
    scope     TEXT    NOT NULL CHECK (scope = 'read'),
    issued    INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    revoked   INTEGER,
    last_used INTEGER
) STRICT;
CREATE INDEX grants_user ON grants (user);

CREATE TABLE totals (
    organisation INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE,
    day          TEXT    NOT NULL,               -- YYYY-MM-DD, UTC
    kind         TEXT    NOT NULL,
    count        INTEGER NOT NULL,
    PRIMARY KEY (organisation, day, kind)
) STRICT, WITHOUT ROWID;
