-- OpenPGP certificates, by the address that they are for: a mailbox of the account (its mail is encrypted), an alias of it
-- (they are published) or a contact (replies to it are encrypted). `origin` is imported, wkd or autocrypt; of the last there is
-- at most one for an address, and `mutual` and `seen_at` (when the message that brought it was written) are for it alone.
-- `warned`: that it expires was not told (0), told 30 days (1) or 7 days ahead (2), or it was told that it has (3).

CREATE TABLE openpgp_certs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    address     TEXT    NOT NULL,
    written     TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    data        BLOB    NOT NULL,
    origin      TEXT    NOT NULL,
    mutual      INTEGER NOT NULL CHECK (mutual IN (0, 1)),
    expires_at  INTEGER,
    seen_at     INTEGER,
    created_at  INTEGER NOT NULL,
    warned      INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account_id, address, fingerprint)
) STRICT;
CREATE INDEX openpgp_certs_account ON openpgp_certs (account_id, id);
CREATE INDEX openpgp_certs_expiry ON openpgp_certs (expires_at, warned);

-- `encrypts`: there is a certificate for the address that is not from an Autocrypt field. `alarmed_at`: when its owner was
-- last told that mail for it could not be encrypted.
ALTER TABLE mailboxes ADD COLUMN encrypts INTEGER NOT NULL DEFAULT 0 CHECK (encrypts IN (0, 1));
ALTER TABLE mailboxes ADD COLUMN alarmed_at INTEGER;
