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

-- As before, but what the walk does not find is looked up as far as it is rare: a word that many messages hold although
-- the latest few hundred do not, as after an evening of other matters, made the index give all of them. Past so many
-- the walk goes on instead, with strides that double, because what is so common is never far.
CREATE OR REPLACE FUNCTION search_messages(words text[], is_unfinished boolean, before_id bigint, at_most integer)
    RETURNS TABLE (msg_id bigint, conv_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public SET enable_seqscan = off
AS $$
DECLARE
    of_owner CONSTANT bigint := NULLIF(current_setting('app.owner_id', true), '')::bigint;
    wanted CONSTANT tsquery := public.search_query(of_owner, words, is_unfinished, '&');
    latest CONSTANT bigint := 500;
    furthest CONSTANT bigint := 100000;
    rare CONSTANT bigint := 5000;
    stretch bigint := latest;
    read_to bigint := before_id;
    found integer;
    missing bigint := at_most;
    is_common boolean := false;
    looked_up bigint[];
    of_these bigint[];
BEGIN
    LOOP
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
        EXIT WHEN read_to IS NULL;
        IF is_common THEN
            stretch := 2 * stretch;
        ELSIF stretch = latest AND found::bigint * found * 40 >= missing THEN
            stretch := LEAST(furthest, 2 * latest * missing / found);
        ELSE
            SELECT array_agg(entry.msg_id ORDER BY entry.msg_id DESC), array_agg(entry.conv_id ORDER BY entry.msg_id DESC)
                INTO looked_up, of_these
                FROM (
                    SELECT held.owner_id, held.msg_id, held.conv_id FROM public.message_search AS held
                    WHERE held.lexemes @@ wanted LIMIT rare
                ) AS entry
                WHERE entry.owner_id = of_owner;
            is_common := COALESCE(cardinality(looked_up), 0) >= rare;
            IF NOT is_common THEN
                RETURN QUERY
                    SELECT hit.msg_id, hit.conv_id FROM unnest(looked_up, of_these) AS hit (msg_id, conv_id)
                    WHERE hit.msg_id < read_to ORDER BY hit.msg_id DESC LIMIT missing;
                EXIT;
            END IF;
            stretch := GREATEST(stretch, 2 * latest);
        END IF;
    END LOOP;
END $$;
