SET LOCAL lock_timeout = '5s';

GRANT SELECT (created_at) ON events TO owner_directory;
-- Owners of whom some reader has not read everything. A month is looked into for those only whose slowest reader stands
-- before its newest event: for who has read something of this month, none of those before.
CREATE OR REPLACE FUNCTION directory_owners_behind(readers text[]) RETURNS TABLE (owner_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    SET plan_cache_mode = force_generic_plan SET enable_sort = off SET enable_incremental_sort = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH partitions AS (
        SELECT to_date(substring(relname FROM '[0-9]{4}_[0-9]{2}$'), 'YYYY_MM')::timestamp AT TIME ZONE 'UTC' AS begins_at
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'public.events'::regclass
    ), stretches AS (  -- what comes before, between and after the months lies in the default partition
        SELECT lag(begins_at, 1, '-infinity') OVER in_order AS begins_at, begins_at AS ends_at
        FROM (SELECT begins_at FROM partitions WHERE begins_at IS NOT NULL UNION ALL SELECT 'infinity') AS all_of_them
        WINDOW in_order AS (ORDER BY begins_at)
    ), months AS MATERIALIZED (
        SELECT begins_at, ends_at, (
            SELECT event.xid FROM public.events AS event
            WHERE event.created_at >= begins_at AND event.created_at < ends_at ORDER BY event.xid DESC LIMIT 1
        ) AS newest
        FROM stretches
    ), slowest AS MATERIALIZED (
        SELECT owner.owner_id, COALESCE(place.xid, '0') AS xid, COALESCE(place.event_id, 0) AS event_id
        FROM public.owners AS owner CROSS JOIN LATERAL (
            SELECT reached.xid, reached.event_id FROM unnest(readers) AS wanted (reader)
            LEFT JOIN public.event_cursors AS reached
                ON reached.owner_id = owner.owner_id AND reached.reader = wanted.reader
            ORDER BY reached.xid NULLS FIRST, reached.event_id LIMIT 1
        ) AS place
    )
    SELECT slowest.owner_id FROM slowest
    WHERE (
        SELECT true FROM months CROSS JOIN LATERAL (
            SELECT event.xid, event.event_id FROM public.events AS event
            WHERE event.owner_id = slowest.owner_id AND event.xid < pg_snapshot_xmin(pg_current_snapshot())
              AND event.created_at >= months.begins_at AND event.created_at < months.ends_at
            ORDER BY event.xid DESC, event.event_id DESC LIMIT 1
        ) AS last
        WHERE months.newest >= slowest.xid AND (last.xid, last.event_id) > (slowest.xid, slowest.event_id) LIMIT 1
    );
END $$;

-- As before, but before the index is asked, a second look goes four times as far back: for a word that is common, and
-- was not said in the latest few hundred messages, the index gathers all places before it gives any, a third of a second
-- for four hundred thousand. And a last word that somebody may still be writing is looked up as a whole word first, since
-- as a rule it is whole: as a beginning it makes the index gather all places of all words that begin so.
-- To walk on costs the missing divided by the share of those that were met, to look up the share times all; they meet at
-- ten million.
CREATE OR REPLACE FUNCTION search_messages(words text[], is_unfinished boolean, before_id bigint, at_most integer)
    RETURNS TABLE (msg_id bigint, conv_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public SET enable_seqscan = off
AS $$
DECLARE
    of_owner CONSTANT bigint := NULLIF(current_setting('app.owner_id', true), '')::bigint;
    wanted CONSTANT tsquery := public.search_query(of_owner, words, is_unfinished, '&');
    whole CONSTANT tsquery := public.search_query(of_owner, words, false, '&');
    parts CONSTANT tsquery[] := CASE WHEN is_unfinished THEN ARRAY[whole, wanted && !!whole] ELSE ARRAY[whole] END;
    part tsquery;
    latest CONSTANT bigint := 500;
    furthest CONSTANT bigint := 100000;
    rare CONSTANT bigint := 5000;
    stretch bigint := latest;
    seen bigint := 0;
    met bigint := 0;
    has_walked boolean := false;
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
        seen := seen + stretch;
        met := met + found;
        IF is_common THEN
            stretch := 2 * stretch;
        ELSIF NOT has_walked AND met * met * 10000000 >= missing * seen * seen THEN
            stretch := LEAST(furthest, 2 * seen * missing / met);
            has_walked := true;
        ELSIF seen = latest THEN
            stretch := 4 * latest;
        ELSE
            FOREACH part IN ARRAY parts LOOP
                EXIT WHEN is_common;
                SELECT looked_up || array_agg(entry.msg_id), of_these || array_agg(entry.conv_id)
                    INTO looked_up, of_these
                    FROM (
                        SELECT held.owner_id, held.msg_id, held.conv_id FROM public.message_search AS held
                        WHERE held.lexemes @@ part LIMIT rare
                    ) AS entry
                    WHERE entry.owner_id = of_owner;
                is_common := COALESCE(cardinality(looked_up), 0) >= rare;
            END LOOP;
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
