SET LOCAL lock_timeout = '5s';

-- What the product says to customers in the owner's name.
ALTER TABLE owners ADD COLUMN texts jsonb NOT NULL DEFAULT '{}';

-- Kept answers are forgotten after a day, those of all owners in one go: the table's owner may, and it can't be
-- talked into younger ones.
DROP INDEX idx_idempotency_keys_created;
CREATE INDEX idx_idempotency_keys_created ON idempotency_keys (created_at);
CREATE FUNCTION idempotency_keys_prune(older_than interval) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    WITH gone AS (
        DELETE FROM public.idempotency_keys
        WHERE created_at < now() - GREATEST(older_than, interval '24 hours') RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
REVOKE EXECUTE ON FUNCTION idempotency_keys_prune FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotency_keys_prune TO owner_app;
