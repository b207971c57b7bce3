SET LOCAL lock_timeout = '5s';

-- Up to when everything in Twilio's log is known to be here, and since when messages may go elsewhere.
ALTER TABLE twilio_accounts ADD COLUMN reconciled_until timestamptz, ADD COLUMN drifted_at timestamptz;

GRANT SELECT (suspended_at) ON owners TO owner_directory;
GRANT CREATE ON SCHEMA public TO owner_directory;

-- Accounts that can be talked to, of owners who are not suspended.
CREATE FUNCTION directory_connected_accounts() RETURNS TABLE (owner_id bigint, twilio_account_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT account.owner_id, account.twilio_account_id FROM public.twilio_accounts AS account
    JOIN public.owners AS owner ON owner.owner_id = account.owner_id
    WHERE account.disconnected_at IS NULL AND owner.suspended_at IS NULL
    ORDER BY 1, 2
$$;

ALTER FUNCTION directory_connected_accounts OWNER TO owner_directory;
REVOKE EXECUTE ON FUNCTION directory_connected_accounts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory_connected_accounts TO owner_app;
REVOKE CREATE ON SCHEMA public FROM owner_directory;
