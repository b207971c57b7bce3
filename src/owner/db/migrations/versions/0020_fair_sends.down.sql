SET LOCAL lock_timeout = '5s';

DROP FUNCTION directory_send_lag;
DROP FUNCTION directory_due_sends;
REVOKE SELECT (twilio_account_id, our_address) ON conversations FROM owner_directory;
ALTER TABLE twilio_accounts DROP COLUMN degraded_at;
