//! Every SQL text of the store, in one place. `?` stands for a parameter on both engines; where the dialects differ, a
//! statement carries a text for each. [`ALL`] lists them, so that a test can prepare each one on both engines.
//!
//! Every transaction of SQLite is a write transaction from its start, so the row locks that MySQL needs are nothing there.

/// One statement in the words of both engines; empty for an engine that has no use for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    pub(super) sqlite: &'static str,
    pub(super) mysql: &'static str,
}

macro_rules! sql {
    ($text:expr) => {
        Sql { sqlite: $text, mysql: $text }
    };
    (locked $text:expr) => {
        Sql { sqlite: $text, mysql: concat!($text, " FOR UPDATE") }
    };
    (shared $text:expr) => {
        Sql { sqlite: $text, mysql: concat!($text, " LOCK IN SHARE MODE") }
    };
    (insert_if_absent $text:expr) => {
        Sql {
            sqlite: concat!($text, " ON CONFLICT DO NOTHING"),
            mysql: concat!($text, " ON DUPLICATE KEY UPDATE id = id"),
        }
    };
    // MySQL would rather read a small table from end to end, and lock every row of it, those of others too.
    (update_by_id $table:literal, $change:expr, $keys:expr) => {
        Sql {
            sqlite: concat!("UPDATE ", $table, " SET ", $change, "id IN ", $keys),
            mysql: concat!("UPDATE ", $table, " FORCE INDEX (PRIMARY) SET ", $change, "id IN ", $keys),
        }
    };
    (delete_by_id $table:literal, $condition:expr, $keys:expr) => {
        Sql {
            sqlite: concat!("DELETE FROM ", $table, " WHERE ", $condition, "id IN ", $keys),
            mysql: concat!(
                "DELETE ",
                $table,
                " FROM ",
                $table,
                " FORCE INDEX (PRIMARY) WHERE ",
                $condition,
                "id IN ",
                $keys
            ),
        }
    };
    (remember $rows:expr) => {
        Sql {
            sqlite: concat!(
                "INSERT INTO transactions (digest, transaction_id, created_at) VALUES ",
                $rows,
                " ON CONFLICT (digest) DO UPDATE \
                SET transaction_id = excluded.transaction_id, created_at = excluded.created_at"
            ),
            mysql: concat!(
                "INSERT INTO transactions (digest, transaction_id, created_at) VALUES ",
                $rows,
                " ON DUPLICATE KEY UPDATE \
                transaction_id = VALUES(transaction_id), created_at = VALUES(created_at)"
            ),
        }
    };
    (sqlite $sqlite:expr, mysql $mysql:expr) => {
        Sql { sqlite: $sqlite, mysql: $mysql }
    };
}

macro_rules! statements {
    ($($name:ident = { $($text:tt)+ };)+) => {
        $(pub(super) const $name: Sql = sql!($($text)+);)+
        /// All of them, by name.
        pub(super) const ALL: &[(&str, Sql)] = &[$((stringify!($name), $name)),+];
    };
}

/// How many keys the small form of an `IN` statement takes; fewer are padded by repeating the last.
pub(super) const FEW: usize = 4;
/// How many keys the large form takes.
pub(super) const MANY: usize = 50;

macro_rules! few {
    () => {
        "(?,?,?,?)"
    };
}
macro_rules! many {
    () => {
        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,\
         ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    };
}

macro_rules! twice {
    ($rows:expr) => {
        concat!($rows, ",", $rows)
    };
}
macro_rules! digest_row {
    () => {
        "(?,?,?)"
    };
}
macro_rules! delivery_row {
    () => {
        "(?,?,?,?,?,?,0,?,?,?,?,?,?,?,?,?,0,?,?)"
    };
}

macro_rules! five_cases {
    () => {
        "WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? "
    };
}
macro_rules! few_cases {
    () => {
        "WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? "
    };
}
macro_rules! many_cases {
    () => {
        concat!(
            five_cases!(),
            five_cases!(),
            five_cases!(),
            five_cases!(),
            five_cases!(),
            five_cases!(),
            five_cases!(),
            five_cases!(),
            five_cases!(),
            five_cases!()
        )
    };
}

/// A statement that inserts rows, for 1, 2, 4, 8, 16 and 32 of them.
pub(super) struct RowsSql([Sql; 6]);

impl RowsSql {
    /// The form for the most of so many rows, and how many it takes. There is at least one.
    pub(super) fn for_rows(&self, rows: usize) -> (&Sql, usize) {
        let power = rows.max(1).ilog2().min(5);
        (&self.0[power as usize], 1 << power)
    }
}

/// A statement with a set of keys, in both sizes.
pub(super) struct SetSql {
    few: Sql,
    many: Sql,
}

impl SetSql {
    /// The smaller form that takes `keys` keys, and how many it wants.
    pub(super) fn for_keys(&self, keys: usize) -> (&Sql, usize) {
        if keys <= FEW { (&self.few, FEW) } else { (&self.many, MANY) }
    }
}

macro_rules! contact_columns {
    () => {
        "id, alias_id, address, written, name, reverse_alias, blocked, created_at"
    };
}
macro_rules! alias_columns {
    () => {
        "id, address, enabled, name, note, pinned, mode, refusal, expires_at, forwarded, replied, blocked, created_at"
    };
}
macro_rules! account_columns {
    () => {
        "id, name, name_format, refusal, opaque_reverse_aliases, created_at"
    };
}
macro_rules! mailbox_columns {
    () => {
        "id, written, verified, paused, (SELECT c.fingerprint FROM openpgp_certs c \
            WHERE c.account_id = mailboxes.account_id AND c.address = mailboxes.address AND c.origin <> 'autocrypt' \
            ORDER BY c.id DESC LIMIT 1) AS pgp_fingerprint, created_at"
    };
}
macro_rules! domain_columns {
    () => {
        "d.id, d.account_id, d.name, d.verified, d.catch_all_id, m.written AS catch_all, \
            m.verified AS catch_all_verified, m.paused AS catch_all_paused, m.encrypts AS catch_all_encrypts, \
            d.created_at"
    };
}

macro_rules! key_columns {
    () => {
        "c.id, c.written, c.fingerprint, c.origin, c.mutual, c.expires_at, c.created_at, \
            CASE WHEN EXISTS (SELECT 1 FROM mailboxes m \
                WHERE m.account_id = c.account_id AND m.address = c.address) THEN 'mailbox' \
            WHEN EXISTS (SELECT 1 FROM aliases a \
                WHERE a.address = c.address AND a.account_id = c.account_id) THEN 'alias' \
            ELSE 'contact' END AS holder"
    };
}

macro_rules! claimed_columns {
    () => {
        "id, message_id, transaction_id, sealed, site, attempts, created_at, expires_at, delay_reported, accepted, blamed, \
            urgent, size"
    };
}
macro_rules! listed_columns {
    () => {
        "id, transaction_id, sealed, sealed_reply, state, uncertain, owner, attempts, next_attempt_at, size, created_at, \
            expires_at, delay_reported, accepted, blamed"
    };
}

macro_rules! insert_deliveries {
    ($rows:expr) => {
        concat!(
            "INSERT INTO queue_deliveries (message_id, transaction_id, alias_id, recipient, accepted, blamed, urgent, \
                site, state, uncertain, owner, attempts, next_attempt_at, created_at, expires_at, size, \
                delay_reported, sealed_reply, sealed) VALUES ",
            $rows
        )
    };
}
macro_rules! take {
    () => {
        "owner = ?, next_attempt_at = ?, attempts = attempts + 1, urgent = 0 WHERE "
    };
}
macro_rules! give_back {
    ($cases:expr) => {
        concat!(
            "next_attempt_at = CASE id ",
            $cases,
            "END, attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END, owner = NULL \
            WHERE owner = ? AND "
        )
    };
}

statements! {
    // Look-ups at SMTP time. Point reads by unique key only.
    FIND_DOMAIN = { concat!("SELECT ", domain_columns!(), " FROM domains d \
        LEFT JOIN mailboxes m ON m.id = d.catch_all_id WHERE d.name = ?") };
    // An alias by its address, or by the reverse alias of a contact; a row for each of its verified mailboxes.
    FIND_NAME = { "SELECT a.id, a.account_id, a.address, a.enabled, a.name, a.mode, a.refusal, a.expires_at, \
            a.has_blocked_contacts, a.deleted_at, o.name_format, o.refusal AS account_refusal, \
            o.opaque_reverse_aliases, m.id AS mailbox_id, m.written AS mailbox_written, m.paused AS mailbox_paused, \
            m.encrypts AS mailbox_encrypts, \
            c.id AS contact_id, c.written AS contact_written, c.name AS contact_name, c.reverse_alias, \
            c.blocked AS contact_blocked \
        FROM (SELECT id AS alias_id, 0 AS contact_id FROM aliases WHERE address = ? \
            UNION ALL SELECT alias_id, id AS contact_id FROM contacts WHERE reverse_alias = ?) hit \
        JOIN aliases a ON a.id = hit.alias_id \
        LEFT JOIN accounts o ON o.id = a.account_id \
        LEFT JOIN contacts c ON c.id = hit.contact_id \
        LEFT JOIN alias_mailboxes am ON am.alias_id = a.id \
        LEFT JOIN mailboxes m ON m.id = am.mailbox_id AND m.verified = 1" };
    FIND_CONTACT = { concat!("SELECT ", contact_columns!(), " FROM contacts WHERE alias_id = ? AND address = ?") };
    FIND_CONTACTS_FEW = { concat!("SELECT ", contact_columns!(), " FROM contacts \
        WHERE alias_id = ? AND address IN ", few!()) };
    FIND_CONTACTS_MANY = { concat!("SELECT ", contact_columns!(), " FROM contacts \
        WHERE alias_id = ? AND address IN ", many!()) };
    FIND_CERTIFICATES = { "SELECT id, fingerprint, data, origin, mutual FROM openpgp_certs \
        WHERE account_id = ? AND address = ? ORDER BY id" };

    // Accounts.
    ACCOUNT_BY_NAME = { concat!("SELECT ", account_columns!(), " FROM accounts WHERE name = ?") };
    LOCK_ACCOUNT_BY_NAME = { locked concat!("SELECT ", account_columns!(), " FROM accounts WHERE name = ?") };
    LOCK_ACCOUNT = { locked "SELECT id FROM accounts WHERE id = ?" };
    SHARE_ACCOUNT = { shared "SELECT id FROM accounts WHERE id = ?" };
    LIST_ACCOUNTS = { concat!("SELECT ", account_columns!(), " FROM accounts WHERE id > ? ORDER BY id LIMIT ?") };
    INSERT_ACCOUNT = { "INSERT INTO accounts (name, name_format, refusal, opaque_reverse_aliases, created_at) \
        VALUES (?, ?, ?, ?, ?)" };
    UPDATE_ACCOUNT = { "UPDATE accounts SET name_format = ?, refusal = ?, opaque_reverse_aliases = ? WHERE id = ?" };
    DELETE_ACCOUNT = { "DELETE FROM accounts WHERE id = ?" };
    ACCOUNT_OWNS_DOMAIN = { "SELECT name AS text FROM domains WHERE account_id = ? LIMIT 1" };
    ACCOUNT_OWNS_MAILBOX = { "SELECT address AS text FROM mailboxes WHERE account_id = ? LIMIT 1" };
    ACCOUNT_OWNS_ALIAS = { "SELECT address AS text FROM aliases WHERE account_id = ? LIMIT 1" };

    // Domains.
    SHARE_DOMAIN = { shared "SELECT id, account_id FROM domains WHERE name = ?" };
    LOCK_DOMAIN = { locked "SELECT id, account_id FROM domains WHERE name = ?" };
    LIST_DOMAINS = { concat!("SELECT ", domain_columns!(), " FROM domains d \
        LEFT JOIN mailboxes m ON m.id = d.catch_all_id WHERE d.account_id = ? AND d.id > ? ORDER BY d.id LIMIT ?") };
    INSERT_DOMAIN = { "INSERT INTO domains (account_id, name, verified, catch_all_id, created_at) \
        VALUES (?, ?, ?, ?, ?)" };
    DELETE_DOMAIN = { "DELETE FROM domains WHERE id = ?" };
    DOMAIN_HAS_ALIAS = { "SELECT address AS text FROM aliases WHERE domain_id = ? LIMIT 1" };
    HOST_HAS_MAILBOX = { shared "SELECT account_id AS id, address AS text FROM mailboxes WHERE host = ? LIMIT 1" };

    // Mailboxes.
    SHARE_MAILBOX = { shared concat!("SELECT ", mailbox_columns!(), " FROM mailboxes \
        WHERE account_id = ? AND address = ?") };
    SHARE_MAILBOX_BY_ID = { shared concat!("SELECT ", mailbox_columns!(), " FROM mailboxes WHERE id = ?") };
    LOCK_MAILBOX = { locked concat!("SELECT ", mailbox_columns!(), " FROM mailboxes \
        WHERE account_id = ? AND address = ?") };
    LIST_MAILBOXES = { concat!("SELECT ", mailbox_columns!(), " FROM mailboxes \
        WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?") };
    INSERT_MAILBOX = { "INSERT INTO mailboxes (account_id, address, written, host, verified, paused, created_at) \
        VALUES (?, ?, ?, ?, ?, ?, ?)" };
    UPDATE_MAILBOX = { "UPDATE mailboxes SET verified = ?, paused = ? WHERE id = ?" };
    DELETE_MAILBOX = { "DELETE FROM mailboxes WHERE id = ?" };
    MAILBOX_IS_CATCH_ALL = { "SELECT name AS text FROM domains WHERE catch_all_id = ? LIMIT 1" };
    MAILBOX_IS_ONLY_ONE = { "SELECT a.address AS text FROM alias_mailboxes am JOIN aliases a ON a.id = am.alias_id \
        WHERE am.mailbox_id = ? AND NOT EXISTS (SELECT 1 FROM alias_mailboxes other \
            WHERE other.alias_id = am.alias_id AND other.mailbox_id <> am.mailbox_id) LIMIT 1" };
    UNLINK_MAILBOX = { "DELETE FROM alias_mailboxes WHERE mailbox_id = ?" };

    // Aliases.
    ALIAS_BY_ADDRESS = { concat!("SELECT ", alias_columns!(), " FROM aliases WHERE address = ? AND account_id = ?") };
    LOCK_ALIAS = { locked concat!("SELECT ", alias_columns!(), " FROM aliases WHERE address = ? AND account_id = ?") };
    SHARE_ALIAS = { shared "SELECT id FROM aliases WHERE id = ? AND deleted_at IS NULL" };
    ALIAS_ADDRESS = { "SELECT address AS text FROM aliases WHERE id = ? AND deleted_at IS NULL" };
    WHO_HAS_ALIAS = { "SELECT account_id, deleted_at FROM aliases WHERE address = ?" };
    ALIASES_NAMED_FEW = { shared concat!("SELECT address AS text FROM aliases WHERE address IN ", few!()) };
    ALIASES_NAMED_MANY = { shared concat!("SELECT address AS text FROM aliases WHERE address IN ", many!()) };
    REVERSE_ALIAS_HAS_NAME = { shared "SELECT id FROM contacts WHERE reverse_alias = ?" };
    LIST_ALIASES = { concat!("SELECT ", alias_columns!(), " FROM aliases \
        WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?") };
    SEARCH_ALIASES = { concat!("SELECT ", alias_columns!(), " FROM aliases \
        WHERE account_id = ? AND id > ? AND (address LIKE ? ESCAPE '!' OR name LIKE ? ESCAPE '!' \
            OR note LIKE ? ESCAPE '!') ORDER BY id LIMIT ?") };
    INSERT_ALIAS = { "INSERT INTO aliases (account_id, domain_id, address, enabled, name, note, pinned, mode, \
            expires_at, has_blocked_contacts, created_at) VALUES (?, ?, ?, 1, ?, ?, 0, ?, ?, 0, ?)" };
    UPDATE_ALIAS = { "UPDATE aliases SET enabled = ?, name = ?, note = ?, pinned = ?, mode = ?, expires_at = ?, \
            refusal = ? WHERE id = ?" };
    BURY_ALIAS = { "UPDATE aliases SET account_id = NULL, domain_id = NULL, enabled = 0, name = NULL, note = NULL, \
            has_blocked_contacts = 0, deleted_at = ? WHERE id = ?" };
    LINK_MAILBOX = { "INSERT INTO alias_mailboxes (alias_id, mailbox_id) VALUES (?, ?)" };
    UNLINK_ALIAS = { "DELETE FROM alias_mailboxes WHERE alias_id = ?" };
    MAILBOXES_OF_FEW = { concat!("SELECT am.alias_id, m.id, m.written FROM alias_mailboxes am \
        JOIN mailboxes m ON m.id = am.mailbox_id WHERE am.alias_id IN ", few!(), " ORDER BY am.alias_id, m.id") };
    MAILBOXES_OF_MANY = { concat!("SELECT am.alias_id, m.id, m.written FROM alias_mailboxes am \
        JOIN mailboxes m ON m.id = am.mailbox_id WHERE am.alias_id IN ", many!(), " ORDER BY am.alias_id, m.id") };
    ADD_COUNTS = { "UPDATE aliases SET forwarded = forwarded + ?, replied = replied + ?, blocked = blocked + ? \
        WHERE id = ?" };

    // Contacts.
    LOCK_CONTACT = { locked concat!("SELECT ", contact_columns!(), " FROM contacts \
        WHERE alias_id = ? AND address = ?") };
    LIST_CONTACTS = { concat!("SELECT ", contact_columns!(), " FROM contacts \
        WHERE alias_id = ? AND id > ? ORDER BY id LIMIT ?") };
    INSERT_CONTACT = { insert_if_absent "INSERT INTO contacts (alias_id, address, written, name, reverse_alias, \
            blocked, created_at) VALUES (?, ?, ?, ?, ?, 0, ?)" };
    NAME_CONTACT = { "UPDATE contacts SET name = ? WHERE id = ?" };
    BLOCK_CONTACT = { "UPDATE contacts SET blocked = ? WHERE id = ?" };
    DELETE_CONTACT = { "DELETE FROM contacts WHERE id = ?" };
    DELETE_CONTACTS = { "DELETE FROM contacts WHERE alias_id = ?" };
    NOTE_BLOCKED_CONTACTS = { "UPDATE aliases SET has_blocked_contacts = \
        EXISTS (SELECT 1 FROM contacts WHERE alias_id = ? AND blocked = 1) WHERE id = ?" };

    // Certificates. What writes them has locked their account.
    HOLDER = { "SELECT CASE WHEN EXISTS (SELECT 1 FROM mailboxes WHERE account_id = ? AND address = ?) THEN 'mailbox' \
            WHEN EXISTS (SELECT 1 FROM aliases WHERE account_id = ? AND address = ?) THEN 'alias' \
            WHEN EXISTS (SELECT 1 FROM domains WHERE account_id = ? AND name = ?) THEN 'nobody' \
            ELSE 'contact' END AS text" };
    LIST_KEYS = { concat!("SELECT ", key_columns!(), " FROM openpgp_certs c \
        WHERE c.account_id = ? AND c.id > ? ORDER BY c.id LIMIT ?") };
    LIST_KEYS_OF = { concat!("SELECT ", key_columns!(), " FROM openpgp_certs c \
        WHERE c.account_id = ? AND c.address = ? AND c.id > ? ORDER BY c.id LIMIT ?") };
    KEYS_NAMED = { concat!("SELECT ", key_columns!(), " FROM openpgp_certs c \
        WHERE c.account_id = ? AND c.fingerprint = ? ORDER BY c.id LIMIT ?") };
    INSERT_CERTIFICATE = { "INSERT INTO openpgp_certs (account_id, address, written, fingerprint, data, origin, mutual, \
            expires_at, seen_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" };
    RENEW_CERTIFICATE = { "UPDATE openpgp_certs SET data = ?, origin = ?, mutual = 0, expires_at = ?, seen_at = NULL, \
            warned = 0 WHERE id = ?" };
    DELETE_CERTIFICATE = { "DELETE FROM openpgp_certs WHERE id = ?" };
    DELETE_CERTIFICATES_OF = { "DELETE FROM openpgp_certs WHERE account_id = ? AND address = ?" };
    DELETE_CERTIFICATES_OF_ACCOUNT = { "DELETE FROM openpgp_certs WHERE account_id = ?" };
    NOTE_ENCRYPTS = { "UPDATE mailboxes SET encrypts = EXISTS (SELECT 1 FROM openpgp_certs \
            WHERE account_id = ? AND address = ? AND origin <> 'autocrypt') WHERE account_id = ? AND address = ?" };
    AUTOCRYPT_OF = { "SELECT id, fingerprint, data, mutual, seen_at FROM openpgp_certs \
        WHERE account_id = ? AND address = ? AND origin = 'autocrypt'" };
    HAS_BINDING = { "SELECT id FROM openpgp_certs \
        WHERE account_id = ? AND address = ? AND fingerprint = ? AND origin <> 'autocrypt'" };
    EXPIRING = { "SELECT c.id, c.account_id, m.written, c.fingerprint, c.expires_at, c.warned FROM openpgp_certs c \
        JOIN mailboxes m ON m.account_id = c.account_id AND m.address = c.address \
        WHERE c.expires_at <= ? AND c.warned < ? AND c.origin <> 'autocrypt' ORDER BY c.expires_at, c.id LIMIT ?" };
    ENCRYPTING_OWNER = { "SELECT account_id AS id FROM mailboxes \
        WHERE host = ? AND address = ? AND encrypts = 1 ORDER BY account_id LIMIT 1" };
    NOTE_WARNED = { "UPDATE openpgp_certs SET warned = ? WHERE id = ? AND warned = ? AND expires_at = ?" };
    NOTE_ALARM = { "UPDATE mailboxes SET alarmed_at = ? \
        WHERE account_id = ? AND address = ? AND (alarmed_at IS NULL OR alarmed_at <= ?)" };
    MAILBOXES_TO_TELL = { "SELECT id, written, encrypts FROM mailboxes \
        WHERE account_id = ? AND verified = 1 AND paused = 0 ORDER BY id LIMIT ?" };

    // Changes.
    INSERT_CHANGE = { "INSERT INTO changes (at, kind, number, text) VALUES (?, ?, ?, ?)" };
    LAST_CHANGE = { "SELECT COALESCE(MAX(id), 0) AS id FROM changes" };
    CHANGES_AFTER = { "SELECT id, kind, number, text FROM changes WHERE id > ? ORDER BY id LIMIT ?" };
    // Of the first so many rows only, so that looking for old ones costs the same however long the table is.
    OLD_CHANGES = { "SELECT COALESCE(MAX(id), 0) AS id FROM (SELECT id, at FROM changes ORDER BY id LIMIT ?) oldest \
        WHERE at < ?" };
    DELETE_CHANGES = { "DELETE FROM changes WHERE id <= ?" };

    // The queue: taking in.
    INSERT_MESSAGE = { "INSERT INTO queue_messages (chunks, content) VALUES (?, ?)" };
    INSERT_CHUNK = { "INSERT INTO queue_chunks (message_id, number, content) VALUES (?, ?, ?)" };
    INSERT_DELIVERIES_1 = { insert_deliveries!(delivery_row!()) };
    INSERT_DELIVERIES_2 = { insert_deliveries!(twice!(delivery_row!())) };
    INSERT_DELIVERIES_4 = { insert_deliveries!(twice!(twice!(delivery_row!()))) };
    INSERT_DELIVERIES_8 = { insert_deliveries!(twice!(twice!(twice!(delivery_row!())))) };
    INSERT_DELIVERIES_16 = { insert_deliveries!(twice!(twice!(twice!(twice!(delivery_row!()))))) };
    INSERT_DELIVERIES_32 = { insert_deliveries!(twice!(twice!(twice!(twice!(twice!(delivery_row!())))))) };
    MESSAGE = { "SELECT chunks, content FROM queue_messages WHERE id = ?" };
    CHUNK = { "SELECT content FROM queue_chunks WHERE message_id = ? AND number = ?" };

    // The queue: working on it. Rows are found by `queue_deliveries_due` from its left end, so the length of the queue
    // does not matter; MySQL must not choose to sort instead, since it locks every row that it looks at.
    LOCK_DUE = { sqlite concat!("SELECT ", claimed_columns!(), " FROM queue_deliveries \
            WHERE state = 'waiting' AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?"),
        mysql concat!("SELECT ", claimed_columns!(), " FROM queue_deliveries FORCE INDEX (queue_deliveries_due) \
            WHERE state = 'waiting' AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ? FOR UPDATE SKIP LOCKED") };
    TAKE_FEW = { update_by_id "queue_deliveries", take!(), few!() };
    TAKE_MANY = { update_by_id "queue_deliveries", take!(), many!() };
    RENEW_FEW = { update_by_id "queue_deliveries", "next_attempt_at = ? WHERE owner = ? AND ", few!() };
    RENEW_MANY = { update_by_id "queue_deliveries", "next_attempt_at = ? WHERE owner = ? AND ", many!() };
    OWNED_FEW = { concat!("SELECT id FROM queue_deliveries WHERE owner = ? AND id IN ", few!()) };
    OWNED_MANY = { concat!("SELECT id FROM queue_deliveries WHERE owner = ? AND id IN ", many!()) };
    NEXT_DUE = { "SELECT next_attempt_at AS at FROM queue_deliveries WHERE state = 'waiting' \
        ORDER BY next_attempt_at LIMIT 1" };
    GIVE_BACK_FEW = { update_by_id "queue_deliveries", give_back!(few_cases!()), few!() };
    GIVE_BACK_MANY = { update_by_id "queue_deliveries", give_back!(many_cases!()), many!() };
    SETTLE_AGAIN = { "UPDATE queue_deliveries SET owner = NULL, next_attempt_at = ?, uncertain = ?, sealed_reply = ?, \
            blamed = ? WHERE id = ? AND owner = ?" };
    SETTLE_DAMAGED = { "UPDATE queue_deliveries SET owner = NULL, state = 'damaged' WHERE id = ? AND owner = ?" };
    OWNED_DELIVERY = { "SELECT message_id, recipient, accepted, delay_reported FROM queue_deliveries \
        WHERE id = ? AND owner = ?" };
    NOTE_DELAY_REPORTED = { "UPDATE queue_deliveries SET delay_reported = 1 WHERE message_id = ? AND recipient = ?" };
    OWNED_PLACES_FEW = { concat!("SELECT id, message_id, recipient, accepted FROM queue_deliveries WHERE owner = ? AND id IN ", few!()) };
    OWNED_PLACES_MANY = { concat!("SELECT id, message_id, recipient, accepted FROM queue_deliveries WHERE owner = ? AND id IN ", many!()) };
    // In the order of their ids, so that no two transactions wait for one another.
    LOCK_MESSAGES_FEW = { sqlite "", mysql concat!("SELECT id FROM queue_messages FORCE INDEX (PRIMARY) WHERE id IN ", few!(), " ORDER BY id FOR UPDATE") };
    LOCK_MESSAGES_MANY = { sqlite "", mysql concat!("SELECT id FROM queue_messages FORCE INDEX (PRIMARY) WHERE id IN ", many!(), " ORDER BY id FOR UPDATE") };
    DELETE_OWNED_FEW = { delete_by_id "queue_deliveries", "owner = ? AND ", few!() };
    DELETE_OWNED_MANY = { delete_by_id "queue_deliveries", "owner = ? AND ", many!() };
    PLACES_LEFT_FEW = { concat!("SELECT id, message_id, recipient, accepted FROM queue_deliveries WHERE message_id IN ", few!()) };
    PLACES_LEFT_MANY = { concat!("SELECT id, message_id, recipient, accepted FROM queue_deliveries WHERE message_id IN ", many!()) };
    ACCEPT_FEW = { update_by_id "queue_deliveries", "accepted = 1 WHERE ", few!() };
    ACCEPT_MANY = { update_by_id "queue_deliveries", "accepted = 1 WHERE ", many!() };
    DELETE_MESSAGES_FEW = { delete_by_id "queue_messages", "", few!() };
    DELETE_MESSAGES_MANY = { delete_by_id "queue_messages", "", many!() };

    // The queue: looking at it, and orders to the rows after one id up to another.
    LIST_DELIVERIES = { concat!("SELECT ", listed_columns!(), " FROM queue_deliveries \
        WHERE id > ? ORDER BY id LIMIT ?") };
    SHOW_DELIVERY = { concat!("SELECT ", listed_columns!(), " FROM queue_deliveries WHERE id = ?") };
    COUNT_DELIVERIES = { "SELECT state, COUNT(*) AS number, MIN(created_at) AS oldest FROM queue_deliveries \
        GROUP BY state" };
    LAST_DELIVERY = { "SELECT COALESCE(MAX(id), 0) AS id FROM queue_deliveries" };
    END_OF_STRETCH = { "SELECT COALESCE(MAX(id), 0) AS id FROM \
        (SELECT id FROM queue_deliveries WHERE id > ? ORDER BY id LIMIT ?) stretch" };
    RETRY_DELIVERIES = { "UPDATE queue_deliveries SET owner = NULL, state = 'waiting', urgent = 1, next_attempt_at = ? \
        WHERE id > ? AND id <= ? AND (state = 'damaged' \
            OR (state = 'waiting' AND (owner IS NULL OR next_attempt_at <= ?)))" };
    HOLD_DELIVERIES = { "UPDATE queue_deliveries SET state = 'held' WHERE id > ? AND id <= ? AND state = 'waiting'" };
    RELEASE_DELIVERIES = { "UPDATE queue_deliveries SET state = 'waiting' WHERE id > ? AND id <= ? AND state = 'held'" };
    MESSAGES_OF_STRETCH = { "SELECT MIN(message_id) AS first, MAX(message_id) AS last FROM queue_deliveries \
        WHERE id > ? AND id <= ?" };
    LOCK_STRETCH = { locked "SELECT id FROM queue_messages WHERE id >= ? AND id <= ? ORDER BY id" };
    DELETE_DELIVERIES = { "DELETE FROM queue_deliveries WHERE id > ? AND id <= ?" };
    DELETE_EMPTY_MESSAGES = { "DELETE FROM queue_messages WHERE id >= ? AND id <= ? \
        AND NOT EXISTS (SELECT 1 FROM queue_deliveries WHERE message_id = queue_messages.id)" };

    // Transactions that were accepted.
    SEEN_FEW = { concat!("SELECT digest, transaction_id, created_at FROM transactions WHERE digest IN ", few!()) };
    SEEN_MANY = { concat!("SELECT digest, transaction_id, created_at FROM transactions WHERE digest IN ", many!()) };
    REMEMBER_1 = { remember digest_row!() };
    REMEMBER_2 = { remember twice!(digest_row!()) };
    REMEMBER_4 = { remember twice!(twice!(digest_row!())) };
    REMEMBER_8 = { remember twice!(twice!(twice!(digest_row!()))) };
    REMEMBER_16 = { remember twice!(twice!(twice!(twice!(digest_row!())))) };
    REMEMBER_32 = { remember twice!(twice!(twice!(twice!(twice!(digest_row!()))))) };
    FORGET_ONE = { "DELETE FROM transactions WHERE digest = ?" };
    FORGET = { sqlite "DELETE FROM transactions WHERE digest IN \
            (SELECT digest FROM transactions WHERE created_at < ? ORDER BY created_at LIMIT ?)",
        mysql "DELETE FROM transactions WHERE created_at < ? ORDER BY created_at LIMIT ?" };
}

/// Makes a node the owner of these rows; the node and the end of its lease are the first parameters.
pub(super) const TAKE: SetSql = SetSql { few: TAKE_FEW, many: TAKE_MANY };
/// Moves the end of a lease; the end and the node are the first parameters.
pub(super) const RENEW: SetSql = SetSql { few: RENEW_FEW, many: RENEW_MANY };
/// Which of these rows the node owns; the node is the first parameter.
pub(super) const OWNED: SetSql = SetSql { few: OWNED_FEW, many: OWNED_MANY };
/// Ends claims on these rows untried; the first parameters are as many pairs of a row and a time, then comes the node.
pub(super) const GIVE_BACK: SetSql = SetSql { few: GIVE_BACK_FEW, many: GIVE_BACK_MANY };
/// Message and recipient of these rows, as far as the node owns them; the node is the first parameter.
pub(super) const OWNED_PLACES: SetSql = SetSql { few: OWNED_PLACES_FEW, many: OWNED_PLACES_MANY };
/// Locks these messages.
pub(super) const LOCK_MESSAGES: SetSql = SetSql { few: LOCK_MESSAGES_FEW, many: LOCK_MESSAGES_MANY };
/// Deletes these rows as far as the node owns them; the node is the first parameter.
pub(super) const DELETE_OWNED: SetSql = SetSql { few: DELETE_OWNED_FEW, many: DELETE_OWNED_MANY };
/// The rows of these messages, with their recipients.
pub(super) const PLACES_LEFT: SetSql = SetSql { few: PLACES_LEFT_FEW, many: PLACES_LEFT_MANY };
/// Notes that the recipients of these rows have it.
pub(super) const ACCEPT: SetSql = SetSql { few: ACCEPT_FEW, many: ACCEPT_MANY };
/// Deletes these messages.
pub(super) const DELETE_MESSAGES: SetSql = SetSql { few: DELETE_MESSAGES_FEW, many: DELETE_MESSAGES_MANY };
/// The transactions under these digests.
pub(super) const SEEN: SetSql = SetSql { few: SEEN_FEW, many: SEEN_MANY };
/// Remembers transactions; each takes three parameters.
pub(super) const REMEMBER: RowsSql =
    RowsSql([REMEMBER_1, REMEMBER_2, REMEMBER_4, REMEMBER_8, REMEMBER_16, REMEMBER_32]);
/// Inserts deliveries; each takes 16 parameters.
pub(super) const INSERT_DELIVERIES: RowsSql = RowsSql([
    INSERT_DELIVERIES_1,
    INSERT_DELIVERIES_2,
    INSERT_DELIVERIES_4,
    INSERT_DELIVERIES_8,
    INSERT_DELIVERIES_16,
    INSERT_DELIVERIES_32,
]);

/// Contacts of one alias by their addresses; the alias is the first parameter.
pub(super) const FIND_CONTACTS: SetSql = SetSql { few: FIND_CONTACTS_FEW, many: FIND_CONTACTS_MANY };
/// Which of some addresses are (or were) aliases.
pub(super) const ALIASES_NAMED: SetSql = SetSql { few: ALIASES_NAMED_FEW, many: ALIASES_NAMED_MANY };
/// Mailboxes of some aliases.
pub(super) const MAILBOXES_OF: SetSql = SetSql { few: MAILBOXES_OF_FEW, many: MAILBOXES_OF_MANY };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_statement_has_as_many_places_as_it_says() {
        let of_one = [
            (FIND_CONTACTS, 1),
            (ALIASES_NAMED, 0),
            (MAILBOXES_OF, 0),
            (TAKE, 2),
            (RENEW, 2),
            (OWNED, 1),
            (OWNED_PLACES, 1),
            (LOCK_MESSAGES, 0),
            (DELETE_OWNED, 1),
            (PLACES_LEFT, 0),
            (ACCEPT, 0),
            (DELETE_MESSAGES, 0),
            (SEEN, 0),
        ];
        for (set, others) in of_one {
            for keys in [1, FEW, FEW + 1, MANY] {
                let (sql, wants) = set.for_keys(keys);
                assert!(wants >= keys);
                assert_eq!(sql.mysql.matches('?').count(), wants + others, "{}", sql.mysql);
            }
        }
    }

    #[test]
    fn a_pair_has_three_places() {
        for keys in [1, FEW, FEW + 1, MANY] {
            let (sql, wants) = GIVE_BACK.for_keys(keys);
            assert_eq!(sql.sqlite.matches('?').count(), wants * 3 + 1, "{}", sql.sqlite);
        }
    }

    #[test]
    fn a_set_of_rows_has_places_for_each() {
        for (rows, takes) in [(1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (31, 16), (32, 32), (1000, 32)] {
            for (set, places) in [(REMEMBER, 3), (INSERT_DELIVERIES, 17)] {
                let (sql, count) = set.for_rows(rows);
                assert_eq!(count, takes);
                assert_eq!(sql.sqlite.matches('?').count(), takes * places, "{}", sql.sqlite);
            }
        }
    }

    #[test]
    fn both_dialects_take_the_same_parameters() {
        for (name, sql) in ALL.iter().filter(|(_, sql)| !sql.sqlite.is_empty() && !sql.mysql.is_empty()) {
            assert_eq!(sql.sqlite.matches('?').count(), sql.mysql.matches('?').count(), "{name}");
        }
    }
}
