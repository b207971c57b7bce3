SET LOCAL lock_timeout = '5s';

DROP FUNCTION directory_owners_behind;
DROP FUNCTION directory_owners_with_events;
REVOKE SELECT (owner_id, xid, event_id) ON events FROM owner_directory;
DROP POLICY directory ON events;
DROP INDEX idx_events_feed;
DROP TABLE event_cursors;
