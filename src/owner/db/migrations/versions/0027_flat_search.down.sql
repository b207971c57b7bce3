SET LOCAL lock_timeout = '5s';

-- Owners of whom some reader has not read everything: one look at the newest event of each.
CREATE OR REPLACE FUNCTION directory_owners_behind(readers text[]) RETURNS TABLE (owner_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT owner.owner_id FROM public.owners AS owner
    CROSS JOIN LATERAL (
        SELECT event.xid, event.event_id FROM public.events AS event
        WHERE event.owner_id = owner.owner_id AND event.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY event.xid DESC, event.event_id DESC LIMIT 1
    ) AS newest
    WHERE EXISTS (
        SELECT FROM unnest(readers) AS wanted (reader)
        LEFT JOIN public.event_cursors AS reached ON reached.owner_id = owner.owner_id AND reached.reader = wanted.reader
        WHERE reached.xid IS NULL OR (reached.xid, reached.event_id) < (newest.xid, newest.event_id)
    )
$$;

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

REVOKE SELECT (created_at) ON events FROM owner_directory;
