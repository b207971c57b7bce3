SET LOCAL lock_timeout = '5s';

CREATE OR REPLACE FUNCTION directory_accounts_by_sid(sid text)
    RETURNS TABLE (owner_id bigint, twilio_account_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT account.owner_id, account.twilio_account_id FROM public.twilio_accounts AS account
    WHERE account.account_sid = sid ORDER BY 1, 2
$$;
CREATE OR REPLACE FUNCTION directory_account_by_webhook_key(key text)
    RETURNS TABLE (owner_id bigint, twilio_account_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT account.owner_id, account.twilio_account_id FROM public.twilio_accounts AS account
    WHERE account.webhook_key = key
$$;
REVOKE SELECT (disconnected_at) ON twilio_accounts FROM owner_directory;
ALTER TABLE twilio_accounts DROP CONSTRAINT twilio_accounts_token;
-- What was disconnected has no token that could come back, and no token decrypts to nothing.
UPDATE twilio_accounts SET auth_token_encrypted = '' WHERE auth_token_encrypted IS NULL;
ALTER TABLE twilio_accounts ALTER COLUMN auth_token_encrypted SET NOT NULL;
ALTER TABLE twilio_accounts DROP COLUMN disconnected_at;

GRANT CREATE ON SCHEMA public TO owner_platform;
DROP FUNCTION quarantine_list, quarantine_get, quarantine_remove, quarantine_list_own, quarantine_get_own,
    quarantine_remove_own;
DROP INDEX idx_inbound_quarantine_owner;
CREATE FUNCTION quarantine_list(before_id bigint, at_most integer) RETURNS SETOF inbound_quarantine
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT * FROM public.inbound_quarantine
    WHERE before_id IS NULL OR quarantine_id < before_id
    ORDER BY quarantine_id DESC LIMIT at_most
$$;
CREATE FUNCTION quarantine_remove(id bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    DELETE FROM public.inbound_quarantine WHERE quarantine_id = id
$$;
ALTER FUNCTION quarantine_list OWNER TO owner_platform;
ALTER FUNCTION quarantine_remove OWNER TO owner_platform;
REVOKE EXECUTE ON FUNCTION quarantine_list, quarantine_remove FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_list, quarantine_remove TO owner_app;
REVOKE CREATE ON SCHEMA public FROM owner_platform;

DROP FUNCTION idempotency_keys_prune;
DROP INDEX idx_idempotency_keys_created;
CREATE INDEX idx_idempotency_keys_created ON idempotency_keys (owner_id, created_at);
ALTER TABLE owners DROP COLUMN texts;
