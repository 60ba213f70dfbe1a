-- The queue. What a letter says is sealed; times, sizes and states are not. Claiming needs SKIP LOCKED: MySQL 8, or
-- MariaDB 10.6.

-- The first piece of a sealed body; the rest of a long one follows in queue_chunks. The row goes with its last delivery.
CREATE TABLE queue_messages (
    id      BIGINT     NOT NULL AUTO_INCREMENT PRIMARY KEY,
    chunks  BIGINT     NOT NULL,
    content MEDIUMBLOB NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE queue_chunks (
    message_id BIGINT     NOT NULL,
    number     BIGINT     NOT NULL,
    content    MEDIUMBLOB NOT NULL,
    PRIMARY KEY (message_id, number),
    CONSTRAINT queue_chunks_message FOREIGN KEY (message_id) REFERENCES queue_messages (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- `state` is waiting, held or damaged. A row with an owner whose `next_attempt_at` is to come is being worked on.
-- `alias_id` refers to nothing: a delivery goes on when its alias is removed.
CREATE TABLE queue_deliveries (
    id              BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    message_id      BIGINT      NOT NULL,
    transaction_id  BINARY(16)  NOT NULL,
    alias_id        BIGINT      NULL,
    site            BIGINT      NOT NULL,
    state           VARCHAR(16) NOT NULL,
    uncertain       BOOLEAN     NOT NULL,
    owner           BIGINT      NULL,
    attempts        BIGINT      NOT NULL,
    next_attempt_at BIGINT      NOT NULL,
    created_at      BIGINT      NOT NULL,
    expires_at      BIGINT      NOT NULL,
    size            BIGINT      NOT NULL,
    delay_reported  BOOLEAN     NOT NULL,
    sealed_reply    MEDIUMBLOB  NULL,
    sealed          MEDIUMBLOB  NOT NULL,
    -- What is due, in its order; `created_at` so that counting and finding the oldest need no row.
    KEY queue_deliveries_due (state, next_attempt_at, created_at),
    KEY queue_deliveries_message (message_id),
    CONSTRAINT queue_deliveries_message FOREIGN KEY (message_id) REFERENCES queue_messages (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Which transactions were accepted, so that a repetition is known (RFC 1047).
CREATE TABLE transactions (
    digest         BINARY(32) NOT NULL PRIMARY KEY,
    transaction_id BINARY(16) NOT NULL,
    created_at     BIGINT     NOT NULL,
    KEY transactions_created_at (created_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
