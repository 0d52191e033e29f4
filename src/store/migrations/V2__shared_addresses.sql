-- Addresses that reach more than one mailbox: a group's, or a person's own whose mail others get too. Such an address may
-- be a user's as well; it outlives that user, since it says how the mail system delivers.
--
-- In `changes`, kind 3 tells that an address became shared in an organisation, kind 4 that it no longer is.
CREATE TABLE shared_addresses (
    address      TEXT    NOT NULL PRIMARY KEY,   -- normal form
    organisation INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX shared_addresses_organisation ON shared_addresses (organisation, address);
