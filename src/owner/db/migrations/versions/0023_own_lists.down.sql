SET LOCAL lock_timeout = '5s';

DROP FUNCTION search_conversations;
DROP INDEX idx_message_search_conversation;
CREATE INDEX idx_message_search_conversation ON message_search (owner_id, conv_id);
DROP INDEX idx_conversations_in_hand;

-- The newest first. The latest messages are looked through; they also tell how common the words are. What is common is
-- found by walking further back, as far as twice what that should take; what is rare, and what the walk has left, is
-- looked up in the index, which gives all there are, in no order. Its words begin with the owner, who is compared once
-- more after that. To walk costs the wanted divided by their share, to look up the share times all; 40 is where the two
-- meet for an owner of two million messages, and a smaller one has less to walk.
CREATE OR REPLACE FUNCTION search_messages(words text[], is_unfinished boolean, before_id bigint, at_most integer)
    RETURNS TABLE (msg_id bigint, conv_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    of_owner CONSTANT bigint := NULLIF(current_setting('app.owner_id', true), '')::bigint;
    wanted CONSTANT tsquery := public.search_query(of_owner, words, is_unfinished, '&');
    latest CONSTANT bigint := 500;
    furthest CONSTANT bigint := 100000;
    stretch bigint := latest;
    read_to bigint := before_id;
    found integer;
    missing bigint := at_most;
BEGIN
    FOR walk IN 1 .. 2 LOOP
        RETURN QUERY
            SELECT recent.msg_id, recent.conv_id FROM (
                SELECT entry.msg_id, entry.conv_id, entry.lexemes FROM public.message_search AS entry
                WHERE entry.owner_id = of_owner AND entry.msg_id < read_to ORDER BY entry.msg_id DESC LIMIT stretch
            ) AS recent
            WHERE recent.lexemes @@ wanted ORDER BY recent.msg_id DESC LIMIT missing;
        GET DIAGNOSTICS found = ROW_COUNT;
        missing := missing - found;
        EXIT WHEN missing <= 0;
        SELECT entry.msg_id INTO read_to FROM public.message_search AS entry
            WHERE entry.owner_id = of_owner AND entry.msg_id < read_to
            ORDER BY entry.msg_id DESC OFFSET stretch - 1 LIMIT 1;
        EXIT WHEN read_to IS NULL OR walk = 2 OR found::bigint * found * 40 < missing;
        stretch := LEAST(furthest, 2 * latest * missing / found);
    END LOOP;
    IF missing <= 0 OR read_to IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
        WITH rare AS MATERIALIZED (
            SELECT entry.owner_id, entry.msg_id, entry.conv_id FROM public.message_search AS entry
            WHERE entry.lexemes @@ wanted
        )
        SELECT rare.msg_id, rare.conv_id FROM rare WHERE rare.owner_id = of_owner AND rare.msg_id < read_to
        ORDER BY rare.msg_id DESC LIMIT missing;
END $$;
