SET LOCAL lock_timeout = '5s';

-- What somebody has in hand, by its last activity; only open rows of a person are in it, so it stays small.
CREATE INDEX idx_conversations_in_hand ON conversations (owner_id, assignee_id, status, last_activity_at, conv_id)
    WHERE assignee_id IS NOT NULL AND status IN ('PENDING', 'PROGRESS');

-- The newest messages of a conversation in their order, for the hits that a list shows.
DROP INDEX idx_message_search_conversation;
CREATE INDEX idx_message_search_conversation ON message_search (owner_id, conv_id, msg_id);

GRANT CREATE ON SCHEMA public TO owner_search;

-- In each of these conversations the newest message with all of the words, among its latest thousand.
CREATE FUNCTION search_conversations(words text[], is_unfinished boolean, conv_ids bigint[])
    RETURNS TABLE (msg_id bigint, conv_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    of_owner CONSTANT bigint := NULLIF(current_setting('app.owner_id', true), '')::bigint;
    wanted CONSTANT tsquery := public.search_query(of_owner, words, is_unfinished, '&');
BEGIN
    RETURN QUERY
        SELECT newest.msg_id, shown.conv_id FROM unnest(conv_ids) AS shown (conv_id)
        CROSS JOIN LATERAL (
            SELECT recent.msg_id FROM (
                SELECT entry.msg_id, entry.lexemes FROM public.message_search AS entry
                WHERE entry.owner_id = of_owner AND entry.conv_id = shown.conv_id
                ORDER BY entry.msg_id DESC LIMIT 1000
            ) AS recent
            WHERE recent.lexemes @@ wanted ORDER BY recent.msg_id DESC LIMIT 1
        ) AS newest;
END $$;

ALTER FUNCTION search_conversations OWNER TO owner_search;
REVOKE EXECUTE ON FUNCTION search_conversations FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_conversations TO owner_app;
REVOKE CREATE ON SCHEMA public FROM owner_search;
