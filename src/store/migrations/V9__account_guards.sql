-- What guards the accounts of the console further.

-- Wrong codes of mailed sign-ins, by the address that was typed, whether anybody has it or not; of one day, then forgotten.
CREATE TABLE wrong_codes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT    NOT NULL UNIQUE,             -- normal form
    day     INTEGER NOT NULL,                    -- days since 1970, UTC
    wrong   INTEGER NOT NULL
) STRICT;

-- Users who lost every secret and asked to start anew: what their lock keeps is erased when `due` has come.
CREATE TABLE fresh_starts (
    user  INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    asked INTEGER NOT NULL,
    due   INTEGER NOT NULL
) STRICT;
CREATE INDEX fresh_starts_due ON fresh_starts (due);

-- The language that a user chose, for pages and mails.
CREATE TABLE user_languages (
    user     INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    language TEXT    NOT NULL
) STRICT;

-- Browsers in which users signed in, the last few of each; `browser` is the SHA-256 of what the browser was given.
CREATE TABLE known_browsers (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,   -- the larger, the later it signed in
    user    INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    browser BLOB    NOT NULL CHECK (length(browser) = 32),
    UNIQUE (user, browser)
) STRICT;
