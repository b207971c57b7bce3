SET LOCAL lock_timeout = '5s';

-- These functions are all that looks across owners. Each returns ids only. They belong to a role that may
-- read exactly these columns, because FORCE binds the tables' owner too and managed servers grant nobody
-- BYPASSRLS.
CREATE POLICY directory ON twilio_accounts FOR SELECT TO owner_directory USING (true);
CREATE POLICY directory ON channel_addresses FOR SELECT TO owner_directory USING (true);
CREATE POLICY directory ON api_keys FOR SELECT TO owner_directory USING (true);
CREATE POLICY directory ON owners FOR SELECT TO owner_directory USING (true);
CREATE POLICY directory ON conversations FOR SELECT TO owner_directory USING (true);
CREATE POLICY directory ON messages FOR SELECT TO owner_directory USING (true);
CREATE POLICY directory ON media FOR SELECT TO owner_directory USING (true);
GRANT SELECT (owner_id, twilio_account_id, account_sid, webhook_key) ON twilio_accounts TO owner_directory;
GRANT SELECT (owner_id, twilio_account_id, channel, address) ON channel_addresses TO owner_directory;
GRANT SELECT (owner_id, api_key_id, key_hash) ON api_keys TO owner_directory;
GRANT SELECT (owner_id) ON owners TO owner_directory;
GRANT SELECT (owner_id, conv_id, status, expires_at, idle_at) ON conversations TO owner_directory;
GRANT SELECT (owner_id, conv_id, seq, direction, delivery_status, provider_sid, created_at, claimed_until, next_attempt_at)
    ON messages TO owner_directory;
GRANT SELECT (owner_id, media_id, status, updated_at) ON media TO owner_directory;
GRANT CREATE ON SCHEMA public TO owner_directory;

CREATE FUNCTION directory_accounts_by_sid(sid text) RETURNS TABLE (owner_id bigint, twilio_account_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT account.owner_id, account.twilio_account_id FROM public.twilio_accounts AS account
    WHERE account.account_sid = sid ORDER BY 1, 2
$$;

CREATE FUNCTION directory_account_by_webhook_key(key text) RETURNS TABLE (owner_id bigint, twilio_account_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT account.owner_id, account.twilio_account_id FROM public.twilio_accounts AS account
    WHERE account.webhook_key = key
$$;

CREATE FUNCTION directory_api_key(hash bytea) RETURNS TABLE (owner_id bigint, api_key_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT key.owner_id, key.api_key_id FROM public.api_keys AS key WHERE key.key_hash = hash
$$;

CREATE FUNCTION directory_owners() RETURNS TABLE (owner_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT owner.owner_id FROM public.owners AS owner ORDER BY 1
$$;

-- Both branches read an index of open conversations from its earliest entry: only due rows are touched.
CREATE FUNCTION directory_due_conversations(moment timestamptz, at_most integer)
    RETURNS TABLE (owner_id bigint, conv_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    (SELECT due.owner_id, due.conv_id FROM public.conversations AS due
     WHERE due.status IN ('PENDING', 'PROGRESS') AND due.expires_at <= moment
     ORDER BY due.expires_at LIMIT at_most)
    UNION
    (SELECT due.owner_id, due.conv_id FROM public.conversations AS due
     WHERE due.status = 'PROGRESS' AND due.idle_at IS NOT NULL AND due.idle_at <= moment
     ORDER BY due.idle_at LIMIT at_most)
$$;

-- Conversations whose next outbound message nobody is working on: the crash between commit and job, or a
-- worker that died with the message in hand.
CREATE FUNCTION directory_unsent_conversations(moment timestamptz, at_most integer)
    RETURNS TABLE (owner_id bigint, conv_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT DISTINCT unsent.owner_id, unsent.conv_id FROM public.messages AS unsent
    WHERE unsent.delivery_status = 'QUEUED' AND unsent.provider_sid IS NULL AND unsent.direction = 'OUTBOUND'
      AND unsent.created_at < moment - interval '15 seconds'
      AND (unsent.claimed_until IS NULL OR unsent.claimed_until < moment)
      AND (unsent.next_attempt_at IS NULL OR unsent.next_attempt_at < moment)
    LIMIT at_most
$$;

CREATE FUNCTION directory_pending_media(moment timestamptz, at_most integer)
    RETURNS TABLE (owner_id bigint, media_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT pending.owner_id, pending.media_id FROM public.media AS pending
    WHERE pending.status = 'PENDING' AND pending.updated_at < moment - interval '1 minute'
    ORDER BY pending.updated_at LIMIT at_most
$$;

DO $$
DECLARE
    look_up regprocedure;
BEGIN
    FOR look_up IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'directory\_%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO owner_directory', look_up);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', look_up);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO owner_app', look_up);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM owner_directory;
