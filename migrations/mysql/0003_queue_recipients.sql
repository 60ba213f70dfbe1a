-- Deliveries of one recipient (an alias with several mailboxes) tell the sender one thing: `recipient` says which belong
-- together among those of a message, `accepted` that one of them has arrived. `blamed`: the next hop has refused us and not
-- the message. `urgent`: an admin wants it tried now.
--
-- In the index, `recipient` makes looking at a message with many recipients a matter of the index alone.

ALTER TABLE queue_deliveries
    ADD COLUMN recipient BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN accepted  BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN blamed    BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN urgent    BOOLEAN NOT NULL DEFAULT FALSE,
    ADD KEY queue_deliveries_recipient (message_id, recipient),
    DROP KEY queue_deliveries_message;

-- What was queued before had one delivery for each recipient.
UPDATE queue_deliveries SET recipient = id;
