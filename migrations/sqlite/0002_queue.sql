-- The queue. What a letter says is sealed; times, sizes and states are not.

-- The first piece of a sealed body; the rest of a long one follows in queue_chunks. The row goes with its last delivery.
CREATE TABLE queue_messages (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    chunks  INTEGER NOT NULL,
    content BLOB    NOT NULL
) STRICT;

CREATE TABLE queue_chunks (
    message_id INTEGER NOT NULL REFERENCES queue_messages (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    content    BLOB    NOT NULL,
    PRIMARY KEY (message_id, number)
) STRICT;

-- `state` is waiting, held or damaged. A row with an owner whose `next_attempt_at` is to come is being worked on.
-- `alias_id` refers to nothing: a delivery goes on when its alias is removed.
CREATE TABLE queue_deliveries (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id      INTEGER NOT NULL REFERENCES queue_messages (id),
    transaction_id  BLOB    NOT NULL CHECK (length(transaction_id) = 16),
    alias_id        INTEGER,
    site            INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    uncertain       INTEGER NOT NULL CHECK (uncertain IN (0, 1)),
    owner           INTEGER,
    attempts        INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    size            INTEGER NOT NULL,
    delay_reported  INTEGER NOT NULL CHECK (delay_reported IN (0, 1)),
    sealed_reply    BLOB,
    sealed          BLOB    NOT NULL
) STRICT;
-- What is due, in its order; `created_at` so that counting and finding the oldest need no row.
CREATE INDEX queue_deliveries_due ON queue_deliveries (state, next_attempt_at, created_at);
CREATE INDEX queue_deliveries_message ON queue_deliveries (message_id);

-- Which transactions were accepted, so that a repetition is known (RFC 1047).
CREATE TABLE transactions (
    digest         BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    transaction_id BLOB    NOT NULL CHECK (length(transaction_id) = 16),
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX transactions_created_at ON transactions (created_at);
