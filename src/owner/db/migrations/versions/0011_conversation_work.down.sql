SET LOCAL lock_timeout = '5s';

DROP TABLE canned_replies, conversation_reads, notes, conversation_labels, labels;
ALTER TABLE conversations DROP COLUMN waiting_since;
