SET LOCAL lock_timeout = '5s';

-- The newest first. What is common is found among the latest messages; only what is rare is looked up in the index,
-- which gives all there are, in no order; its words begin with the owner, who is compared once more after that.
CREATE OR REPLACE FUNCTION search_messages(words text[], is_unfinished boolean, before_id bigint, at_most integer)
    RETURNS TABLE (msg_id bigint, conv_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    of_owner CONSTANT bigint := NULLIF(current_setting('app.owner_id', true), '')::bigint;
    wanted CONSTANT tsquery := public.search_query(of_owner, words, is_unfinished, '&');
    latest CONSTANT integer := 2000;
    oldest_read bigint;
    so_far integer;
BEGIN
    RETURN QUERY
        SELECT recent.msg_id, recent.conv_id FROM (
            SELECT entry.msg_id, entry.conv_id, entry.lexemes FROM public.message_search AS entry
            WHERE entry.owner_id = of_owner AND entry.msg_id < before_id ORDER BY entry.msg_id DESC LIMIT latest
        ) AS recent
        WHERE recent.lexemes @@ wanted ORDER BY recent.msg_id DESC LIMIT at_most;
    GET DIAGNOSTICS so_far = ROW_COUNT;
    SELECT entry.msg_id INTO oldest_read FROM public.message_search AS entry
        WHERE entry.owner_id = of_owner AND entry.msg_id < before_id
        ORDER BY entry.msg_id DESC OFFSET latest - 1 LIMIT 1;
    IF so_far >= at_most OR oldest_read IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
        WITH rare AS MATERIALIZED (
            SELECT entry.owner_id, entry.msg_id, entry.conv_id FROM public.message_search AS entry
            WHERE entry.lexemes @@ wanted
        )
        SELECT rare.msg_id, rare.conv_id FROM rare WHERE rare.owner_id = of_owner AND rare.msg_id < oldest_read
        ORDER BY rare.msg_id DESC LIMIT at_most - so_far;
END $$;
