SET LOCAL lock_timeout = '5s';

DROP TABLE canned_replies, conversation_reads, notes, conversation_labels, labels;
ALTER TABLE conversations DROP COLUMN waiting_since;
DROP INDEX idx_conversations_started, idx_conversations_activity, idx_conversations_assignee,
    idx_conversations_priority, idx_conversations_bot, idx_conversations_channel;
