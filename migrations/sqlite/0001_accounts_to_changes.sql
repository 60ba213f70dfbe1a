-- Times are milliseconds since 1970-01-01 UTC. `address` is the normal form by which addresses are compared; `written`
-- keeps the spelling for those to which mail is sent (RFC 5321, section 2.4: the case of a local part is the host's).

CREATE TABLE accounts (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    name                   TEXT    NOT NULL UNIQUE,
    name_format            TEXT    NOT NULL,
    refusal                TEXT    NOT NULL,
    opaque_reverse_aliases INTEGER NOT NULL CHECK (opaque_reverse_aliases IN (0, 1)),
    created_at             INTEGER NOT NULL
) STRICT;

CREATE TABLE mailboxes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    address    TEXT    NOT NULL,
    written    TEXT    NOT NULL,
    host       TEXT    NOT NULL,
    verified   INTEGER NOT NULL CHECK (verified IN (0, 1)),
    paused     INTEGER NOT NULL CHECK (paused IN (0, 1)),
    created_at INTEGER NOT NULL,
    UNIQUE (account_id, address)
) STRICT;
-- A domain of ours must hold no mailbox.
CREATE INDEX mailboxes_host ON mailboxes (host);

CREATE TABLE domains (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    name         TEXT    NOT NULL UNIQUE,
    verified     INTEGER NOT NULL CHECK (verified IN (0, 1)),
    catch_all_id INTEGER          REFERENCES mailboxes (id),
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX domains_account ON domains (account_id);
CREATE INDEX domains_catch_all ON domains (catch_all_id);

-- A row with `deleted_at` is a tombstone: it belongs to nobody and keeps its address from being issued again.
CREATE TABLE aliases (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id           INTEGER          REFERENCES accounts (id),
    domain_id            INTEGER          REFERENCES domains (id),
    address              TEXT    NOT NULL UNIQUE,
    enabled              INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    name                 TEXT,
    note                 TEXT,
    pinned               INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    mode                 TEXT    NOT NULL,
    refusal              TEXT,
    expires_at           INTEGER,
    has_blocked_contacts INTEGER NOT NULL CHECK (has_blocked_contacts IN (0, 1)),
    forwarded            INTEGER NOT NULL DEFAULT 0,
    replied              INTEGER NOT NULL DEFAULT 0,
    blocked              INTEGER NOT NULL DEFAULT 0,
    created_at           INTEGER NOT NULL,
    deleted_at           INTEGER,
    CHECK (deleted_at IS NOT NULL OR (account_id IS NOT NULL AND domain_id IS NOT NULL))
) STRICT;
CREATE INDEX aliases_account ON aliases (account_id, id);
CREATE INDEX aliases_domain ON aliases (domain_id);

CREATE TABLE alias_mailboxes (
    alias_id   INTEGER NOT NULL REFERENCES aliases (id),
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes (id),
    PRIMARY KEY (alias_id, mailbox_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_mailboxes_mailbox ON alias_mailboxes (mailbox_id);

CREATE TABLE contacts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    alias_id      INTEGER NOT NULL REFERENCES aliases (id),
    address       TEXT    NOT NULL,
    written       TEXT    NOT NULL,
    name          TEXT,
    reverse_alias TEXT    NOT NULL UNIQUE,
    blocked       INTEGER NOT NULL CHECK (blocked IN (0, 1)),
    created_at    INTEGER NOT NULL,
    UNIQUE (alias_id, address)
) STRICT;
CREATE INDEX contacts_alias ON contacts (alias_id, id);

-- What the caches of other processes must forget. Rows live for an hour.
CREATE TABLE changes (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    number INTEGER,
    text   TEXT
) STRICT;

INSERT INTO accounts (name, name_format, refusal, opaque_reverse_aliases, created_at)
VALUES ('default', 'name_at', 'reject', 0, CAST(strftime('%s', 'now') AS INTEGER) * 1000);
