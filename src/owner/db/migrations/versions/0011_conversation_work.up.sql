SET LOCAL lock_timeout = '5s';

-- Since when the customer waits for an answer; empty while the last word is ours.
ALTER TABLE conversations ADD COLUMN waiting_since timestamptz;
UPDATE conversations SET waiting_since = last_inbound_at WHERE status = 'PENDING';
CREATE INDEX idx_conversations_waiting ON conversations (owner_id, waiting_since, conv_id)
    WHERE waiting_since IS NOT NULL;
