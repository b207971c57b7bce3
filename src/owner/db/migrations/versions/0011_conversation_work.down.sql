SET LOCAL lock_timeout = '5s';

ALTER TABLE conversations DROP COLUMN waiting_since;
