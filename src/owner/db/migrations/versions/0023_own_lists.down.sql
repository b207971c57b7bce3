SET LOCAL lock_timeout = '5s';

DROP FUNCTION search_conversations;
DROP INDEX idx_message_search_conversation;
CREATE INDEX idx_message_search_conversation ON message_search (owner_id, conv_id);
DROP INDEX idx_conversations_in_hand;
