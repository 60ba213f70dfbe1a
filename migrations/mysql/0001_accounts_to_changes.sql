-- Times are milliseconds since 1970-01-01 UTC. `address` is the normal form by which addresses are compared; `written`
-- keeps the spelling for those to which mail is sent (RFC 5321, section 2.4: the case of a local part is the host's).
-- A quoted normal form has at most 130 + 1 + 253 characters, hence VARCHAR(400).

CREATE TABLE accounts (
    id                     BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name                   VARCHAR(64)  NOT NULL,
    name_format            VARCHAR(16)  NOT NULL,
    refusal                VARCHAR(16)  NOT NULL,
    opaque_reverse_aliases BOOLEAN      NOT NULL,
    created_at             BIGINT       NOT NULL,
    UNIQUE KEY accounts_name (name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE mailboxes (
    id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    account_id BIGINT       NOT NULL,
    address    VARCHAR(400) NOT NULL,
    written    VARCHAR(400) NOT NULL,
    host       VARCHAR(255) NOT NULL,
    verified   BOOLEAN      NOT NULL,
    paused     BOOLEAN      NOT NULL,
    created_at BIGINT       NOT NULL,
    UNIQUE KEY mailboxes_address (account_id, address),
    -- A domain of ours must hold no mailbox.
    KEY mailboxes_host (host),
    CONSTRAINT mailboxes_account FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE domains (
    id           BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    account_id   BIGINT       NOT NULL,
    name         VARCHAR(255) NOT NULL,
    verified     BOOLEAN      NOT NULL,
    catch_all_id BIGINT       NULL,
    created_at   BIGINT       NOT NULL,
    UNIQUE KEY domains_name (name),
    CONSTRAINT domains_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT domains_catch_all FOREIGN KEY (catch_all_id) REFERENCES mailboxes (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- A row with `deleted_at` is a tombstone: it belongs to nobody and keeps its address from being issued again.
-- What people search in (name, note) is compared as people do.
CREATE TABLE aliases (
    id                   BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    account_id           BIGINT       NULL,
    domain_id            BIGINT       NULL,
    address              VARCHAR(400) NOT NULL,
    enabled              BOOLEAN      NOT NULL,
    name                 VARCHAR(255) COLLATE utf8mb4_unicode_ci NULL,
    note                 TEXT         COLLATE utf8mb4_unicode_ci NULL,
    pinned               BOOLEAN      NOT NULL,
    mode                 VARCHAR(16)  NOT NULL,
    refusal              VARCHAR(16)  NULL,
    expires_at           BIGINT       NULL,
    has_blocked_contacts BOOLEAN      NOT NULL,
    forwarded            BIGINT       NOT NULL DEFAULT 0,
    replied              BIGINT       NOT NULL DEFAULT 0,
    blocked              BIGINT       NOT NULL DEFAULT 0,
    created_at           BIGINT       NOT NULL,
    deleted_at           BIGINT       NULL,
    UNIQUE KEY aliases_address (address),
    KEY aliases_account (account_id, id),
    CONSTRAINT aliases_owner FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT aliases_domain FOREIGN KEY (domain_id) REFERENCES domains (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE alias_mailboxes (
    alias_id   BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    PRIMARY KEY (alias_id, mailbox_id),
    CONSTRAINT alias_mailboxes_alias FOREIGN KEY (alias_id) REFERENCES aliases (id),
    CONSTRAINT alias_mailboxes_mailbox FOREIGN KEY (mailbox_id) REFERENCES mailboxes (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE contacts (
    id            BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    alias_id      BIGINT       NOT NULL,
    address       VARCHAR(400) NOT NULL,
    written       VARCHAR(400) NOT NULL,
    name          VARCHAR(255) NULL,
    reverse_alias VARCHAR(400) NOT NULL,
    blocked       BOOLEAN      NOT NULL,
    created_at    BIGINT       NOT NULL,
    UNIQUE KEY contacts_address (alias_id, address),
    UNIQUE KEY contacts_reverse_alias (reverse_alias),
    KEY contacts_alias (alias_id, id),
    CONSTRAINT contacts_owner FOREIGN KEY (alias_id) REFERENCES aliases (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- What the caches of other nodes must forget. Rows live for an hour.
CREATE TABLE changes (
    id     BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at     BIGINT       NOT NULL,
    kind   VARCHAR(16)  NOT NULL,
    number BIGINT       NULL,
    text   VARCHAR(400) NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO accounts (name, name_format, refusal, opaque_reverse_aliases, created_at)
VALUES ('default', 'name_at', 'reject', FALSE, UNIX_TIMESTAMP() * 1000);
