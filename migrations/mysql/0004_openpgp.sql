-- OpenPGP certificates, by the address that they are for: a mailbox of the account (its mail is encrypted), an alias of it
-- (they are published) or a contact (replies to it are encrypted). `origin` is imported, wkd or autocrypt; of the last there is
-- at most one for an address, and `mutual` and `seen_at` (when the message that brought it was written) are for it alone.
-- `warned`: that it expires was not told (0), told 30 days (1) or 7 days ahead (2), or it was told that it has (3).

CREATE TABLE openpgp_certs (
    id          BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    account_id  BIGINT       NOT NULL,
    address     VARCHAR(400) NOT NULL,
    written     VARCHAR(400) NOT NULL,
    fingerprint VARCHAR(64)  NOT NULL,
    data        MEDIUMBLOB   NOT NULL,
    origin      VARCHAR(16)  NOT NULL,
    mutual      BOOLEAN      NOT NULL,
    expires_at  BIGINT       NULL,
    seen_at     BIGINT       NULL,
    created_at  BIGINT       NOT NULL,
    warned      BIGINT       NOT NULL DEFAULT 0,
    UNIQUE KEY openpgp_certs_address (account_id, address, fingerprint),
    KEY openpgp_certs_account (account_id, id),
    KEY openpgp_certs_expiry (expires_at, warned),
    CONSTRAINT openpgp_certs_owner FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- `encrypts`: there is a certificate for the address that is not from an Autocrypt field. `alarmed_at`: when its owner was
-- last told that mail for it could not be encrypted.
ALTER TABLE mailboxes
    ADD COLUMN encrypts   BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN alarmed_at BIGINT  NULL;
