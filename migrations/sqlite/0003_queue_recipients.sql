-- Deliveries of one recipient (an alias with several mailboxes) tell the sender one thing: `recipient` says which belong
-- together among those of a message, `accepted` that one of them has arrived. `blamed`: the next hop has refused us and not
-- the message. `urgent`: an admin wants it tried now.

ALTER TABLE queue_deliveries ADD COLUMN recipient INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_deliveries ADD COLUMN accepted  INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1));
ALTER TABLE queue_deliveries ADD COLUMN blamed    INTEGER NOT NULL DEFAULT 0 CHECK (blamed IN (0, 1));
ALTER TABLE queue_deliveries ADD COLUMN urgent    INTEGER NOT NULL DEFAULT 0 CHECK (urgent IN (0, 1));

-- `recipient` makes looking at a message with many recipients a matter of the index alone.
CREATE INDEX queue_deliveries_recipient ON queue_deliveries (message_id, recipient);
DROP INDEX queue_deliveries_message;

-- What was queued before had one delivery for each recipient.
UPDATE queue_deliveries SET recipient = id;
