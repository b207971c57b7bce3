SET LOCAL lock_timeout = '5s';

DROP INDEX idx_events_contact;
UPDATE media SET status = 'FAILED' WHERE status = 'ERASED';
ALTER TABLE media DROP CONSTRAINT media_status_check;
ALTER TABLE media ADD CONSTRAINT media_status_check CHECK (status IN ('PENDING', 'STORED', 'FAILED'));
DROP TABLE suppressions, suppression_keys, contact_merges, contact_consents, contact_words;
DROP INDEX idx_contact_addresses_opted_out, idx_contacts_merged, idx_contacts_blocked, idx_contacts_name;
ALTER TABLE contacts
    DROP CONSTRAINT contacts_merged_into,
    DROP COLUMN erased_at,
    DROP COLUMN merged_into_id,
    DROP COLUMN blocked_reason,
    DROP COLUMN blocked_at,
    DROP COLUMN name_key;
