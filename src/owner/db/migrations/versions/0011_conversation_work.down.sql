SET LOCAL lock_timeout = '5s';

-- The role stays: it belongs to the cluster, and other databases may use it.
DROP FUNCTION search_messages, search_query, search_term, search_lexemes;
DROP TABLE message_search;
REVOKE USAGE ON SCHEMA public FROM owner_search;
DROP TABLE canned_replies, conversation_reads, notes, conversation_labels, labels;
ALTER TABLE conversations DROP COLUMN waiting_since;
DROP INDEX idx_conversations_started, idx_conversations_activity, idx_conversations_assignee,
    idx_conversations_priority, idx_conversations_bot, idx_conversations_channel;
