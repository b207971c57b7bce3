SET LOCAL lock_timeout = '5s';

DROP FUNCTION idempotency_keys_prune;
DROP INDEX idx_idempotency_keys_created;
CREATE INDEX idx_idempotency_keys_created ON idempotency_keys (owner_id, created_at);
ALTER TABLE owners DROP COLUMN texts;
