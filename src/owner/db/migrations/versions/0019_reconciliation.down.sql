SET LOCAL lock_timeout = '5s';

DROP FUNCTION directory_connected_accounts;
REVOKE SELECT (suspended_at) ON owners FROM owner_directory;
ALTER TABLE twilio_accounts DROP COLUMN reconciled_until, DROP COLUMN drifted_at;
