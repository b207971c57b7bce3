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

-- The quarantine as the platform sees it: all of it, but never from within a tenant's transaction. 0 is the
-- platform's own setting.
GRANT CREATE ON SCHEMA public TO owner_platform;
CREATE INDEX idx_inbound_quarantine_owner ON inbound_quarantine (owner_id, quarantine_id);
DROP FUNCTION quarantine_list, quarantine_remove;

CREATE FUNCTION quarantine_list(before_id bigint, at_most integer) RETURNS SETOF inbound_quarantine
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT * FROM public.inbound_quarantine
    WHERE (before_id IS NULL OR quarantine_id < before_id)
      AND COALESCE(NULLIF(current_setting('app.owner_id', true), ''), '0') = '0'
    ORDER BY quarantine_id DESC LIMIT at_most
$$;

CREATE FUNCTION quarantine_get(id bigint) RETURNS SETOF inbound_quarantine
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT * FROM public.inbound_quarantine
    WHERE quarantine_id = id AND COALESCE(NULLIF(current_setting('app.owner_id', true), ''), '0') = '0'
$$;

CREATE FUNCTION quarantine_remove(id bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    WITH gone AS (
        DELETE FROM public.inbound_quarantine
        WHERE quarantine_id = id AND COALESCE(NULLIF(current_setting('app.owner_id', true), ''), '0') = '0'
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM gone)
$$;

-- The same for one owner, which is the setting's: no caller can name another.
CREATE FUNCTION quarantine_list_own(before_id bigint, at_most integer) RETURNS SETOF inbound_quarantine
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT * FROM public.inbound_quarantine
    WHERE owner_id = NULLIF(current_setting('app.owner_id', true), '')::bigint
      AND (before_id IS NULL OR quarantine_id < before_id)
    ORDER BY quarantine_id DESC LIMIT at_most
$$;

CREATE FUNCTION quarantine_get_own(id bigint) RETURNS SETOF inbound_quarantine
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT * FROM public.inbound_quarantine
    WHERE quarantine_id = id AND owner_id = NULLIF(current_setting('app.owner_id', true), '')::bigint
$$;

CREATE FUNCTION quarantine_remove_own(id bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    WITH gone AS (
        DELETE FROM public.inbound_quarantine
        WHERE quarantine_id = id AND owner_id = NULLIF(current_setting('app.owner_id', true), '')::bigint
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM gone)
$$;

DO $$
DECLARE
    made regprocedure;
BEGIN
    FOR made IN
        SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname IN (
            'quarantine_list', 'quarantine_get', 'quarantine_remove',
            'quarantine_list_own', 'quarantine_get_own', 'quarantine_remove_own'
        )
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO owner_platform', made);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', made);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO owner_app', made);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM owner_platform;

-- An account that is disconnected keeps its row, because conversations refer to it, and nothing else: no token,
-- no number; nobody finds it by its webhooks.
ALTER TABLE twilio_accounts ADD COLUMN disconnected_at timestamptz;
ALTER TABLE twilio_accounts ALTER COLUMN auth_token_encrypted DROP NOT NULL;
ALTER TABLE twilio_accounts ADD CONSTRAINT twilio_accounts_token
    CHECK ((auth_token_encrypted IS NULL) = (disconnected_at IS NOT NULL));
GRANT SELECT (disconnected_at) ON twilio_accounts TO owner_directory;

CREATE OR REPLACE FUNCTION directory_accounts_by_sid(sid text)
    RETURNS TABLE (owner_id bigint, twilio_account_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT account.owner_id, account.twilio_account_id FROM public.twilio_accounts AS account
    WHERE account.account_sid = sid AND account.disconnected_at IS NULL ORDER BY 1, 2
$$;

CREATE OR REPLACE FUNCTION directory_account_by_webhook_key(key text)
    RETURNS TABLE (owner_id bigint, twilio_account_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT account.owner_id, account.twilio_account_id FROM public.twilio_accounts AS account
    WHERE account.webhook_key = key AND account.disconnected_at IS NULL
$$;
