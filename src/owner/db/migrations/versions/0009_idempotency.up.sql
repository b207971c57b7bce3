SET LOCAL lock_timeout = '5s';

-- An answer is kept in the same transaction as the change that it is about.
CREATE TABLE idempotency_keys (
    owner_id bigint NOT NULL REFERENCES owners,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    body bytea NOT NULL,
    media_type text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (owner_id, key)
);
CREATE INDEX idx_idempotency_keys_created ON idempotency_keys (owner_id, created_at);
CALL make_tenant_table('idempotency_keys');
