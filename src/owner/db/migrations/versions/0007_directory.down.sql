DROP FUNCTION directory_accounts_by_sid, directory_account_by_webhook_key, directory_api_key, directory_owners,
    directory_due_conversations, directory_unsent_conversations, directory_pending_media;
DROP POLICY directory ON media;
DROP POLICY directory ON messages;
DROP POLICY directory ON conversations;
DROP POLICY directory ON owners;
DROP POLICY directory ON api_keys;
DROP POLICY directory ON channel_addresses;
DROP POLICY directory ON twilio_accounts;
REVOKE ALL ON twilio_accounts, channel_addresses, api_keys, owners, conversations, messages, media FROM owner_directory;
