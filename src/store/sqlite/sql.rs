//! Every statement of the embedded store, each prepared against the migrated schema by a test.

macro_rules! statements {
    ($($name:ident = $sql:literal;)*) => {
        $(pub const $name: &str = $sql;)*
        #[cfg(test)]
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

statements! {
    // The store itself
    SCHEMA_TABLE = "SELECT count(*) FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    ANY_TABLE = "SELECT count(*) FROM sqlite_schema";
    SCHEMA_VERSION = "SELECT max(version) FROM refinery_schema_history";
    STORE = "SELECT epoch, match_check, seal_public FROM store";
    ADD_STORE = "INSERT INTO store (id, epoch, match_check, seal_public, created) VALUES (1, ?1, ?2, ?3, ?4)";
    ADD_STATE = "INSERT INTO state (id, revision, pruned, journal, sum, mac) VALUES (1, 0, 0, 0, ?1, ?2)";
    STATE = "SELECT s.epoch, t.revision, t.journal, t.sum, t.mac, t.pruned FROM store s, state t";
    SET_STATE = "UPDATE state SET revision = ?1, journal = ?2, sum = ?3, mac = ?4";

    // Organisations
    ADD_ORGANISATION = "INSERT INTO organisations (name, settings, created) VALUES (?1, '{}', ?2)";
    ORGANISATION_IDS = "SELECT id FROM organisations ORDER BY name";
    ORGANISATION_ID = "SELECT id FROM organisations WHERE name = ?1";
    ORGANISATION = "SELECT name, settings, created FROM organisations WHERE id = ?1";
    ORGANISATION_USERS = "SELECT count(*) FROM users WHERE organisation = ?1";
    ORGANISATION_USER_IDS = "SELECT id FROM users WHERE organisation = ?1";
    SET_SETTINGS = "UPDATE organisations SET settings = ?2 WHERE id = ?1";
    REMOVE_ORGANISATION = "DELETE FROM organisations WHERE id = ?1";
    DOMAIN_OWNER = "SELECT d.organisation, o.name FROM domains d JOIN organisations o ON o.id = d.organisation WHERE d.name = ?1";
    DOMAINS = "SELECT name FROM domains WHERE organisation = ?1 ORDER BY name";
    ADD_DOMAIN = "INSERT INTO domains (name, organisation) VALUES (?1, ?2)";
    REMOVE_DOMAIN = "DELETE FROM domains WHERE name = ?1 AND organisation = ?2";
    DOMAIN_IN_USE = "SELECT EXISTS (SELECT 1 FROM users u JOIN addresses a ON a.user = u.id
        WHERE u.organisation = ?1 AND substr(a.address, instr(a.address, '@') + 1) = ?2)";
    PROTECTED = "SELECT name FROM protected_domains WHERE organisation = ?1 ORDER BY name";
    PROTECT = "INSERT OR IGNORE INTO protected_domains (organisation, name) VALUES (?1, ?2)";
    UNPROTECT = "DELETE FROM protected_domains WHERE organisation = ?1 AND name = ?2";
    OWN_ENTRIES = "SELECT level, list, value FROM own_entries WHERE organisation = ?1";
    OWN_ENTRY_COUNT = "SELECT count(*) FROM own_entries WHERE organisation = ?1 AND level = ?2 AND list = ?3";
    ADD_OWN_ENTRY = "INSERT OR IGNORE INTO own_entries (organisation, level, list, value) VALUES (?1, ?2, ?3, ?4)";
    REMOVE_OWN_ENTRY = "DELETE FROM own_entries WHERE organisation = ?1 AND level = ?2 AND list = ?3 AND value = ?4";

    // Folders
    PROVEN = "SELECT delimiter, folder, proven FROM proven_folders WHERE organisation = ?1 ORDER BY folder, delimiter";
    PROVE = "INSERT OR REPLACE INTO proven_folders (organisation, delimiter, folder, proven) VALUES (?1, ?2, ?3, ?4)";
    UNPROVE = "DELETE FROM proven_folders WHERE organisation = ?1 AND delimiter = ?2 AND folder = ?3";
    PROBES = "SELECT organisation, delimiter, folder, sent FROM probes ORDER BY id";
    PROBE = "SELECT organisation, delimiter, folder, sent FROM probes WHERE code_hash = ?1";
    ADD_PROBE = "INSERT INTO probes (organisation, delimiter, folder, code_hash, sent) VALUES (?1, ?2, ?3, ?4, ?5)";
    REMOVE_PROBE = "DELETE FROM probes WHERE code_hash = ?1";
    REMOVE_OLD_PROBES = "DELETE FROM probes WHERE organisation = ?1 AND id NOT IN
        (SELECT id FROM probes WHERE organisation = ?1 ORDER BY id DESC LIMIT ?2)";

    // Users
    USER_CHOICES = "SELECT DISTINCT options FROM users WHERE organisation = ?1 AND options <> 0 ORDER BY options";
    ADD_USER = "INSERT INTO users (id, organisation, status, kind, options, public_key, private_wrap, private_key, created)
        VALUES (?1, ?2, 0, ?3, ?4, ?5, 'seal', ?6, ?7)";
    USER = "SELECT organisation, status, kind, options, created FROM users WHERE id = ?1";
    USER_KEYS = "SELECT u.organisation, u.kind, u.public_key, p.fingerprint_key
        FROM users u JOIN packed p ON p.user = u.id WHERE u.id = ?1";
    USER_FINGERPRINT = "SELECT p.fingerprint_key FROM users u JOIN packed p ON p.user = u.id WHERE u.id = ?1";
    SET_OPTIONS = "UPDATE users SET options = ?2 WHERE id = ?1";
    SET_STATUS = "UPDATE users SET status = ?2 WHERE id = ?1";
    REMOVE_USER = "DELETE FROM users WHERE id = ?1";
    FORGET_PAYLOADS = "UPDATE journal SET payload = NULL WHERE user = ?1";
    ADD_ADDRESS = "INSERT INTO addresses (address, user, kind) VALUES (?1, ?2, ?3)";
    REMOVE_ALIAS = "DELETE FROM addresses WHERE address = ?1 AND user = ?2 AND kind = 1";
    ADDRESS_USER = "SELECT user FROM addresses WHERE address = ?1";
    ADDRESSES = "SELECT kind, address FROM addresses WHERE user = ?1 ORDER BY kind, address";
    USERS_AFTER = "SELECT user FROM addresses WHERE address > ?1 AND kind = 0 ORDER BY address LIMIT ?2";
    ORGANISATION_USERS_AFTER = "SELECT a.user FROM addresses a JOIN users u ON u.id = a.user
        WHERE a.address > ?1 AND a.kind = 0 AND u.organisation = ?3 ORDER BY a.address LIMIT ?2";
    USER_EXISTS = "SELECT 1 FROM users WHERE id = ?1";
    USERS_BEGINNING = "SELECT DISTINCT p.user FROM addresses a JOIN users u ON u.id = a.user
        JOIN addresses p ON p.user = a.user AND p.kind = 0
        WHERE a.address >= ?1 AND a.address < ?2 AND u.organisation = ?3 AND p.address > ?4 ORDER BY p.address LIMIT ?5";

    // Shared addresses
    SHARED_IN = "SELECT organisation FROM shared_addresses WHERE address = ?1";
    SHARED = "SELECT address FROM shared_addresses WHERE organisation = ?1 ORDER BY address";
    SHARED_OF_USER = "SELECT a.address FROM addresses a JOIN shared_addresses s ON s.address = a.address
        WHERE a.user = ?1 ORDER BY a.address";
    SHARE = "INSERT INTO shared_addresses (address, organisation) VALUES (?1, ?2)";
    UNSHARE = "DELETE FROM shared_addresses WHERE address = ?1";

    // Lists
    PACKED = "SELECT organisation, options, revision, fingerprint_key, lists, mac FROM packed WHERE user = ?1";
    ADD_PACKED = "INSERT INTO packed (user, organisation, options, revision, fingerprint_key, lists, mac)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    SET_PACKED = "UPDATE packed SET options = ?2, revision = ?3, lists = ?4, mac = ?5 WHERE user = ?1";
    ADD_BATCH = "INSERT INTO batches (user, batch, ephemeral) SELECT ?1, ?2, ?3
        WHERE NOT EXISTS (SELECT 1 FROM batches WHERE user = ?1 AND batch >= ?2)";
    BATCH = "SELECT ephemeral FROM batches WHERE user = ?1 AND batch = ?2";
    ADD_ENTRY = "INSERT INTO entries
        (user, list, fingerprint, scope, batch, position, sealed, pattern, origin, created, confirmed, change)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    FIND_ENTRY_AGAIN = "UPDATE entries SET batch = ?4, position = ?5, sealed = ?6
        WHERE user = ?1 AND list = ?2 AND fingerprint = ?3 AND sealed = x''";
    REMOVE_ENTRY = "DELETE FROM entries WHERE user = ?1 AND list = ?2 AND fingerprint = ?3
        AND (?4 IS NULL OR change = ?4) RETURNING origin, created, confirmed";
    PLACED_LATER = "SELECT EXISTS (SELECT 1 FROM entries WHERE user = ?1 AND list IN (0, 1, 2) AND fingerprint = ?2
        AND change > ?3 AND change <> ?4)";
    SET_CONFIRMED = "UPDATE entries SET confirmed = ?4
        WHERE user = ?1 AND list = ?2 AND fingerprint = ?3 AND confirmed <> ?4";
    ENTRIES = "SELECT list, fingerprint, batch, position, sealed, origin, created, confirmed FROM entries
        WHERE user = ?1 AND list BETWEEN ?2 AND ?3";
    ENTRY = "SELECT list, fingerprint, batch, position, sealed, origin, created, confirmed FROM entries
        WHERE user = ?1 AND list = ?2 AND fingerprint = ?3";
    WAITING_ENTRIES = "SELECT list, fingerprint, batch, position, sealed, origin, created, confirmed FROM entries
        WHERE user = ?1 AND confirmed = 0 ORDER BY created DESC LIMIT ?2";
    PATTERNS = "SELECT list, pattern FROM entries WHERE user = ?1 AND pattern IS NOT NULL";

    // Notes
    NOTES = "SELECT fingerprint, batch, position, sealed FROM notes INDEXED BY notes_user
        WHERE user = ?1 AND ended_by IS NULL AND ended IS NULL";
    NOTE = "SELECT batch, position, sealed FROM notes WHERE user = ?1 AND fingerprint = ?2 AND ended IS NULL";
    NOTES_ENDED_BY = "SELECT fingerprint, batch, position, sealed FROM notes
        WHERE user = ?1 AND ended_by = ?2 ORDER BY id";
    NOTE_CHANGE = "SELECT change FROM notes WHERE user = ?1 AND fingerprint = ?2 AND ended IS NULL";
    ADD_NOTE = "INSERT INTO notes (user, fingerprint, batch, position, sealed, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    END_NOTE = "UPDATE notes SET ended = ?3, ended_by = ?4 WHERE user = ?1 AND fingerprint = ?2 AND ended IS NULL";
    FORGET_NOTES = "DELETE FROM notes WHERE user = ?1";
    PRUNE_NOTES = "DELETE FROM notes WHERE ended < ?1";

    // Compaction
    NEXT_COMPACTION = "SELECT min(coalesce(min(batch), 0), 0) - 1 FROM batches WHERE user = ?1";
    ADD_COMPACTION = "INSERT INTO batches (user, batch, ephemeral) VALUES (?1, ?2, ?3)";
    RESEAL_ENTRY = "UPDATE entries SET batch = ?4, position = ?5, sealed = ?6
        WHERE user = ?1 AND list = ?2 AND fingerprint = ?3 AND sealed <> x''";
    RESEAL_NOTE = "UPDATE notes SET batch = ?3, position = ?4, sealed = ?5
        WHERE user = ?1 AND fingerprint = ?2 AND ended IS NULL";
    PRUNE_BATCHES = "DELETE FROM batches WHERE user = ?1
        AND batch < (SELECT max(batch) FROM batches WHERE user = ?1)
        AND batch NOT IN (SELECT batch FROM entries WHERE user = ?1)
        AND batch NOT IN (SELECT batch FROM notes WHERE user = ?1)
        AND batch NOT IN (SELECT batch FROM journal WHERE user = ?1 AND batch IS NOT NULL AND payload IS NOT NULL)";

    // Grants
    ADD_GRANT = "INSERT INTO grants (user, grantee, list, scope, issued, expires) VALUES (?1, ?2, ?3, 'read', ?4, ?5)";
    REVOKE_GRANT = "UPDATE grants SET revoked = ?3 WHERE id = ?1 AND user = ?2 AND revoked IS NULL";
    REVOKE_GRANTS = "UPDATE grants SET revoked = ?2 WHERE user = ?1 AND revoked IS NULL AND expires > ?2";
    GRANT_EXISTS = "SELECT EXISTS (SELECT 1 FROM grants WHERE id = ?1 AND user = ?2)";
    GRANTS = "SELECT id, grantee, list, issued, expires, revoked, last_used FROM grants WHERE user = ?1 ORDER BY id DESC";
    LIVE_GRANT = "SELECT EXISTS (SELECT 1 FROM grants WHERE user = ?1 AND grantee = ?2 AND list = ?3
        AND revoked IS NULL AND issued <= ?4 AND expires > ?4)";
    USE_GRANT = "UPDATE grants SET last_used = ?4 WHERE user = ?1 AND grantee = ?2 AND list = ?3
        AND revoked IS NULL AND issued <= ?4 AND expires > ?4";
    GRANTS_TO = "SELECT id, grantee, list, issued, expires, revoked, last_used, user FROM grants
        WHERE grantee = ?1 AND revoked IS NULL AND issued <= ?2 AND expires > ?2 ORDER BY id DESC LIMIT ?3";
    REVOKE_GRANTS_TO = "UPDATE grants SET revoked = ?2 WHERE grantee = ?1 AND revoked IS NULL";

    // Staff
    ADD_STAFF = "INSERT INTO staff (address, organisation, created) VALUES (?1, ?2, ?3)";
    STAFF_COUNT = "SELECT count(*) FROM staff WHERE organisation IS ?1";
    STAFF_IDS = "SELECT id FROM staff ORDER BY address";
    STAFF_ID = "SELECT id FROM staff WHERE address = ?1";
    STAFF = "SELECT s.address, s.organisation, s.status, s.password IS NOT NULL, s.created, s.last_sign_in, e.expires
        FROM staff s LEFT JOIN enrolments e ON e.staff = s.id WHERE s.id = ?1";
    STAFF_FACTORS = "SELECT id, password, totp_salt FROM staff WHERE address = ?1 AND status = 0 AND password IS NOT NULL";
    STAFF_SALT = "SELECT totp_salt FROM staff WHERE id = ?1 AND status = 0";
    SET_STAFF_STATUS = "UPDATE staff SET status = ?2 WHERE id = ?1";
    SET_FACTORS = "UPDATE staff SET password = ?2, totp_salt = ?3, totp_step = ?4 WHERE id = ?1";
    FORGET_FACTORS = "UPDATE staff SET password = NULL, totp_salt = NULL, totp_step = 0 WHERE id = ?1";
    USE_TOTP_STEP = "UPDATE staff SET totp_step = ?3
        WHERE id = ?1 AND totp_salt = ?2 AND totp_step < ?3 AND status = 0";
    STAFF_SIGNED_IN = "UPDATE staff SET last_sign_in = ?2 WHERE id = ?1";
    REMOVE_STAFF = "DELETE FROM staff WHERE id = ?1";
    END_STAFF_SESSIONS = "DELETE FROM sessions WHERE staff = ?1";
    FORGET_STAFF_SIGN_INS = "DELETE FROM past_sign_ins WHERE staff = ?1";
    SET_ENROLMENT = "INSERT OR REPLACE INTO enrolments (staff, code_hash, totp_salt, expires) VALUES (?1, ?2, ?3, ?4)";
    ENROLMENT = "SELECT staff, totp_salt FROM enrolments WHERE code_hash = ?1 AND expires > ?2";
    REMOVE_ENROLMENT = "DELETE FROM enrolments WHERE staff = ?1";

    // Announcements
    ANNOUNCE = "INSERT OR REPLACE INTO announcements (organisation, kind, number, at) VALUES (?1, ?2,
        (SELECT 1 + coalesce(max(number), 0) FROM announcements WHERE organisation = ?1), ?3)";
    ANNOUNCEMENTS = "SELECT a.kind, a.number, a.at FROM users u JOIN announcements a ON a.organisation = u.organisation
        WHERE u.id = ?1 AND a.at > u.created
        AND a.number > coalesce((SELECT through FROM announcements_seen WHERE user = ?1), 0) ORDER BY a.number DESC";
    DISMISS = "INSERT INTO announcements_seen (user, through) VALUES (?1, ?2)
        ON CONFLICT (user) DO UPDATE SET through = max(through, excluded.through)";

    // Sessions
    ADD_SESSION = "INSERT OR IGNORE INTO sessions
        (hash, user, staff, opened_by, created, seen, expires, network, browser, data)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    SAVE_SESSION = "UPDATE sessions SET user = ?2, staff = ?3, opened_by = ?4, created = ?5, seen = ?6, expires = ?7,
        network = ?8, browser = ?9, data = ?10 WHERE hash = ?1";
    SESSION = "SELECT user, staff, opened_by, created, seen, expires, network, browser, data FROM sessions
        WHERE hash = ?1 AND expires > ?2";
    TOUCH_SESSION = "UPDATE sessions SET seen = ?2, expires = ?3 WHERE hash = ?1";
    END_SESSION = "DELETE FROM sessions WHERE hash = ?1";
    SESSIONS_OF = "SELECT id, hash, opened_by, created, seen, network, browser FROM sessions
        WHERE (user = ?1 OR staff = ?2) AND expires > ?3 ORDER BY seen DESC, id DESC";
    END_SESSION_OF = "DELETE FROM sessions WHERE id = ?3 AND (user = ?1 OR staff = ?2)";
    END_SESSIONS_OF = "DELETE FROM sessions WHERE (user = ?1 OR staff = ?2) AND hash IS NOT ?3";
    END_OLD_SESSIONS_OF = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user = ?1 OR staff = ?2
        ORDER BY id DESC LIMIT -1 OFFSET ?3)";
    END_OLD_SESSIONS = "DELETE FROM sessions WHERE user IS NULL AND staff IS NULL AND id <= ?1";
    PRUNE_SESSIONS = "DELETE FROM sessions WHERE expires <= ?1";
    RECORD_SIGN_IN = "INSERT INTO past_sign_ins (user, staff, at, opened_by, network, browser)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    FORGET_OLD_SIGN_INS = "DELETE FROM past_sign_ins WHERE id IN (SELECT id FROM past_sign_ins
        WHERE user = ?1 OR staff = ?2 ORDER BY id DESC LIMIT -1 OFFSET ?3)";
    LAST_SIGN_IN = "SELECT at, opened_by, network, browser FROM past_sign_ins
        WHERE user = ?1 OR staff = ?2 ORDER BY id DESC LIMIT 1";
    FORGET_BROWSER = "DELETE FROM known_browsers WHERE user = ?1 AND browser = ?2";
    ADD_BROWSER = "INSERT INTO known_browsers (user, browser) VALUES (?1, ?2)";
    FORGET_OLD_BROWSERS = "DELETE FROM known_browsers WHERE id IN (SELECT id FROM known_browsers
        WHERE user = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)";

    // Sign-ins by mail
    ADD_MAILED = "INSERT INTO mailed_sign_ins (address, browser, token, code, wrong, expires)
        VALUES (?1, ?2, ?3, ?4, 0, ?5)";
    REMOVE_OLD_MAILED_OF = "DELETE FROM mailed_sign_ins WHERE id IN (SELECT id FROM mailed_sign_ins
        WHERE address = ?1 AND browser = ?2 ORDER BY id DESC LIMIT -1 OFFSET ?3)";
    REMOVE_OLD_MAILED = "DELETE FROM mailed_sign_ins WHERE id <= ?1";
    PRUNE_MAILED = "DELETE FROM mailed_sign_ins WHERE expires <= ?1";
    MAILED_BY_TOKEN = "SELECT address, browser FROM mailed_sign_ins WHERE token = ?1 AND expires > ?2";
    NEWEST_IN_BROWSER = "SELECT id, address, token, code, wrong FROM mailed_sign_ins
        WHERE browser = ?1 AND expires > ?2 ORDER BY id DESC LIMIT 1";
    WRONG_CODE = "UPDATE mailed_sign_ins SET wrong = wrong + 1 WHERE id = ?1";
    REMOVE_MAILED_IN = "DELETE FROM mailed_sign_ins WHERE browser = ?1";
    WRONG_CODES_OF = "SELECT wrong FROM wrong_codes WHERE address = ?1 AND day = ?2";
    COUNT_WRONG_CODE = "INSERT INTO wrong_codes (address, day, wrong) VALUES (?1, ?2, 1)
        ON CONFLICT (address) DO UPDATE SET wrong = iif(day = excluded.day, wrong + 1, 1), day = excluded.day";
    PRUNE_WRONG_CODES = "DELETE FROM wrong_codes WHERE day < ?1 OR id <= (SELECT max(id) FROM wrong_codes) - ?2";

    // Secrets
    SECRETS = "SELECT id, kind, label, wrapped IS NOT NULL, created, last_used FROM secrets WHERE user = ?1 ORDER BY id";
    SECRET_ALONE = "SELECT id, verifier, wrapped FROM secrets WHERE user = ?1 AND kind = ?2";
    SECRET_KIND = "SELECT kind FROM secrets WHERE id = ?1 AND user = ?2";
    ADD_SECRET = "INSERT INTO secrets (user, kind, label, credential, verifier, wrapped, created)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    REMOVE_SECRET = "DELETE FROM secrets WHERE id = ?1 AND user = ?2";
    REMOVE_SECRET_ALONE = "DELETE FROM secrets WHERE user = ?1 AND kind = ?2";
    REMOVE_SECRETS = "DELETE FROM secrets WHERE user = ?1";
    COUNT_SECRETS = "SELECT count(*) FROM secrets WHERE user = ?1 AND (?2 IS NULL OR kind = ?2)";
    COUNT_OPENING = "SELECT count(*) FROM secrets WHERE user = ?1 AND wrapped IS NOT NULL";
    USER_LANGUAGE = "SELECT language FROM user_languages WHERE user = ?1";
    SET_USER_LANGUAGE = "INSERT INTO user_languages (user, language) VALUES (?1, ?2)
        ON CONFLICT (user) DO UPDATE SET language = excluded.language";
    USE_SECRET = "UPDATE secrets SET last_used = ?2 WHERE id = ?1";
    PASSKEYS = "SELECT id, user, verifier, wrapped IS NOT NULL FROM secrets WHERE user = ?1 AND kind = 1 ORDER BY id";
    PASSKEY = "SELECT id, user, verifier, wrapped IS NOT NULL FROM secrets WHERE credential = ?1";
    PASSKEY_WRAP = "SELECT s.user, u.organisation, s.wrapped FROM secrets s JOIN users u ON u.id = s.user
        WHERE s.id = ?1 AND s.kind = 1";
    USE_PASSKEY = "UPDATE secrets SET last_used = ?2, verifier = ?3 WHERE id = ?1";

    // The personal lock
    USER_LOCK = "SELECT u.organisation, u.private_wrap, u.private_key, l.sealed
        FROM users u LEFT JOIN lock_keys l ON l.user = u.id WHERE u.id = ?1";
    SET_PRIVATE_KEY = "UPDATE users SET private_wrap = ?2, private_key = ?3 WHERE id = ?1";
    SET_KEY_PAIR = "UPDATE users SET private_wrap = 'seal', private_key = ?2, public_key = ?3 WHERE id = ?1";
    SET_LOCK_KEY = "INSERT INTO lock_keys (user, sealed) VALUES (?1, ?2)
        ON CONFLICT (user) DO UPDATE SET sealed = excluded.sealed";
    REMOVE_LOCK_KEY = "DELETE FROM lock_keys WHERE user = ?1";
    LOST_ENTRIES = "SELECT list, fingerprint FROM entries WHERE user = ?1 AND sealed = x''";
    REMOVE_LOST_ENTRIES = "DELETE FROM entries WHERE user = ?1 AND sealed = x''";
    FRESH_START = "SELECT asked, due FROM fresh_starts WHERE user = ?1";
    ASK_FRESH_START = "INSERT OR IGNORE INTO fresh_starts (user, asked, due) VALUES (?1, ?2, ?3)";
    CANCEL_FRESH_START = "DELETE FROM fresh_starts WHERE user = ?1";
    FRESH_STARTS_DUE = "SELECT user FROM fresh_starts WHERE due <= ?1";
    FORGET_VALUES = "UPDATE entries SET sealed = x'' WHERE user = ?1";

    // Journal
    ADD_JOURNAL = "INSERT INTO journal (organisation, id, at, actor, kind, user, batch, position, payload, digest)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    USER_JOURNAL = "SELECT id, at, actor, kind, batch, position, payload FROM journal
        WHERE user = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    LATER_UNDOES = "SELECT batch, position, payload FROM journal
        WHERE user = ?1 AND id > ?2 AND kind = 'undo' AND batch IS NOT NULL AND payload IS NOT NULL";
    JOURNAL_ROW = "SELECT at, batch, position, payload FROM journal
        WHERE id = ?1 AND user = ?2 AND batch IS NOT NULL AND payload IS NOT NULL";
    JOURNAL_HEAD = "SELECT block, hash FROM journal_blocks WHERE organisation = ?1 ORDER BY block DESC LIMIT 1";
    JOURNAL_HEADS = "SELECT b.organisation, b.hash FROM journal_blocks b
        JOIN (SELECT organisation, max(block) AS block FROM journal_blocks GROUP BY organisation) h
        ON h.organisation = b.organisation AND h.block = b.block";
    ADD_BLOCK = "INSERT INTO journal_blocks (organisation, block, first, last, rows, at, previous, hash, mac)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    BLOCKS = "SELECT block, first, last, rows, at, previous, hash, mac FROM journal_blocks
        WHERE organisation = ?1 ORDER BY block";
    BLOCK_ROWS = "SELECT id, at, actor, kind, user, payload, digest FROM journal
        WHERE organisation = ?1 AND id BETWEEN ?2 AND ?3 ORDER BY id";
    ROWS_OUTSIDE = "SELECT count(*) FROM journal WHERE organisation = ?1";
    CUT_AT = "SELECT block, last FROM journal_blocks WHERE organisation = ?1 AND at < ?2
        AND block < (SELECT max(block) FROM journal_blocks WHERE organisation = ?1) ORDER BY block DESC LIMIT 1";
    CUT_BLOCKS = "DELETE FROM journal_blocks WHERE organisation = ?1 AND block <= ?2";
    CUT_ROWS = "DELETE FROM journal WHERE organisation = ?1 AND id <= ?2";

    // Activity
    PUBLIC_KEY = "SELECT organisation, public_key FROM users WHERE id = ?1";
    OPTIONS = "SELECT options FROM users WHERE id = ?1";
    ADD_CHAIN = "INSERT OR IGNORE INTO activity_chains (user, chain, ephemeral) VALUES (?1, ?2, ?3)";
    ADD_ACTIVITY = "INSERT INTO activity (user, number, day, chain, position, sealed)
        VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM activity WHERE user = ?1), ?2, ?3, ?4, ?5)";
    CUT_ACTIVITY = "DELETE FROM activity WHERE user = ?1 AND number <=
        (SELECT number FROM activity WHERE user = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2) RETURNING user, chain";
    REMOVE_EMPTY_CHAIN = "DELETE FROM activity_chains WHERE user = ?1 AND chain = ?2
        AND NOT EXISTS (SELECT 1 FROM activity WHERE user = ?1 AND chain = ?2)";
    ACTIVITY = "SELECT a.number, a.chain, a.position, a.sealed, c.ephemeral FROM activity a
        LEFT JOIN activity_chains c ON c.user = a.user AND c.chain = a.chain
        WHERE a.user = ?1 AND a.day >= ?2 ORDER BY a.number";
    RESEAL_ACTIVITY = "UPDATE activity SET chain = ?5, position = ?6, sealed = ?7
        WHERE user = ?1 AND number = ?2 AND chain = ?3 AND position = ?4";
    REMOVE_ACTIVITY = "DELETE FROM activity WHERE user = ?1";
    REMOVE_CHAINS = "DELETE FROM activity_chains WHERE user = ?1";
    PRUNE_ACTIVITY = "DELETE FROM activity WHERE id IN (SELECT a.id FROM activity a CROSS JOIN users u ON u.id = a.user
        WHERE a.day < ?2 AND u.organisation = ?1 LIMIT ?3) RETURNING user, chain";
    ADD_GAP = "INSERT OR IGNORE INTO activity_gaps (user, day) VALUES (?1, ?2)";
    GAPS = "SELECT day FROM activity_gaps WHERE user = ?1 AND day >= ?2 ORDER BY day DESC";
    REMOVE_GAPS = "DELETE FROM activity_gaps WHERE user = ?1";
    PRUNE_GAPS = "DELETE FROM activity_gaps WHERE day < ?2 AND user IN (SELECT id FROM users WHERE organisation = ?1)";
    ADD_DIGEST = "INSERT OR REPLACE INTO digests (user, sent) VALUES (?1, ?2)";
    REMOVE_DIGEST = "DELETE FROM digests WHERE user = ?1";
    DIGEST = "SELECT EXISTS (SELECT 1 FROM digests WHERE user = ?1)";
    SET_DIGEST = "UPDATE digests SET sent = ?2 WHERE user = ?1";
    DIGESTS_DUE = "SELECT d.user FROM digests d JOIN users u ON u.id = d.user
        WHERE d.sent < ?1 AND u.status = 0 AND u.options & ?3 <> 0 AND u.private_wrap = 'seal' ORDER BY d.sent LIMIT ?2";

    // Totals
    ADD_TOTAL = "INSERT INTO totals (organisation, day, kind, count) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (organisation, day, kind) DO UPDATE SET
            count = CASE kind WHEN 'users' THEN max(count, excluded.count) ELSE count + excluded.count END";
    TOTALS = "SELECT day, kind, count FROM totals WHERE organisation = ?1 AND day BETWEEN ?2 AND ?3 AND day < ?4
        ORDER BY day, kind";

    // Relays
    TELL_RELAY = "INSERT INTO relays (run, name, version, started, seen, status) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (run) DO UPDATE SET seen = excluded.seen, missed = 0, status = excluded.status";
    REMOVE_RELAY = "DELETE FROM relays WHERE run = ?1";
    GONE_RELAY = "SELECT run, seen FROM relays WHERE seen < ?1 AND missed = 0 LIMIT 1";
    MISS_RELAY = "UPDATE relays SET missed = 1 WHERE run = ?1";
    PRUNE_RELAYS = "DELETE FROM relays WHERE missed = 1
        AND (seen < ?1 OR run NOT IN (SELECT run FROM relays ORDER BY seen DESC LIMIT ?2))";
    RELAYS = "SELECT run, name, version, started, seen, status FROM relays WHERE seen >= ?1 ORDER BY name, started, run";
    ADD_GAP_FOR_ALL = "INSERT OR IGNORE INTO activity_gaps (user, day) SELECT id, ?1 FROM users WHERE options & ?2 <> 0";

    // Feed and full load
    ADD_CHANGE = "INSERT INTO changes (revision, kind, user, address_hash, organisation) VALUES (?1, ?2, ?3, ?4, ?5)";
    CHANGES = "SELECT revision, kind, user, address_hash, organisation FROM changes
        WHERE revision > ?1 ORDER BY revision LIMIT ?2";
    PRUNE_CHANGES = "DELETE FROM changes WHERE revision <= ?1";
    SET_PRUNED = "UPDATE state SET pruned = ?1";
    LOAD_PACKED = "SELECT user, organisation, options, revision, fingerprint_key, lists, mac FROM packed
        WHERE user >= ?1 AND user < ?2 ORDER BY user";
    LOAD_ADDRESSES = "SELECT user, address FROM addresses INDEXED BY addresses_user
        WHERE user >= ?1 AND user < ?2 ORDER BY user";
    COUNT_ADDRESSES = "SELECT COUNT(*) FROM addresses";
    LOAD_SHARED = "SELECT address, organisation FROM shared_addresses";
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    /// With full rings of a thousand users a scan takes minutes, while nobody else writes.
    #[test]
    fn what_removes_activity_reads_by_index_alone() {
        let mut conn = Connection::open_in_memory().expect("a database");
        super::super::link::migrations().run(&mut conn).expect("migrated");
        let plan = |sql: &str| -> Vec<String> {
            let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("prepared");
            for parameter in 1..=statement.parameter_count() {
                statement.raw_bind_parameter(parameter, 1).expect("bound");
            }
            let mut rows = statement.raw_query();
            let mut lines = Vec::new();
            while let Some(row) = rows.next().expect("read") {
                lines.push(row.get(3).expect("text"));
            }
            lines
        };
        let empty = plan(super::REMOVE_EMPTY_CHAIN);
        let by_chain = "USING COVERING INDEX activity_chain (user=? AND chain=?)";
        assert!(empty.iter().any(|line| line.contains(by_chain)), "{empty:?}");
        let old = plan(super::PRUNE_ACTIVITY);
        assert!(old.iter().any(|line| line.contains("USING INDEX activity_day (day<?)")), "{old:?}");
        for sql in [super::REMOVE_EMPTY_CHAIN, super::PRUNE_ACTIVITY, super::CUT_ACTIVITY, super::ADD_ACTIVITY] {
            let lines = plan(sql);
            let scans = |line: &String| line.starts_with("SCAN") && !line.contains("CONSTANT ROW");
            assert!(!lines.iter().any(scans), "{lines:?}");
        }
    }

    #[test]
    fn every_statement_is_prepared_against_the_migrated_schema() {
        let mut conn = Connection::open_in_memory().expect("a database");
        super::super::link::migrations().run(&mut conn).expect("migrated");
        for (name, sql) in super::ALL {
            if let Err(error) = conn.prepare(sql) {
                panic!("{name}: {error}");
            }
        }
    }
}
