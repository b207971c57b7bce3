SET LOCAL lock_timeout = '5s';

-- Making and dropping a partition locks out, for a moment, whoever reads or writes the table. These functions wait
-- for that lock no longer than a request may hang, and say so; whoever calls them comes again.

-- Returns how many tables were left as they were, because somebody was at work in them.
DROP FUNCTION make_partitions_ahead;
CREATE FUNCTION make_partitions_ahead(months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public SET lock_timeout = '100ms'
AS $$
DECLARE
    parent regclass;
    waiting integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('make_partitions_ahead')) THEN
        RETURN 1;
    END IF;
    FOR parent IN SELECT oid::regclass FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace LOOP
        BEGIN
            FOR ahead IN 0..months LOOP
                PERFORM public.make_month_partition(parent, now() + make_interval(months => ahead));
            END LOOP;
        EXCEPTION WHEN lock_not_available THEN
            waiting := waiting + 1;
        END;
    END LOOP;
    RETURN waiting;
END $$;

-- The tables that forget, and nothing younger than 30 days, whatever is asked for: no caller reaches this month.
CREATE FUNCTION forgotten_before(table_name text, older_than interval) RETURNS timestamptz
    LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, public
AS $$
BEGIN
    IF table_name NOT IN ('events', 'webhook_deliveries', 'inbound_quarantine') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('The table %s forgets nothing.', table_name);
    END IF;
    RETURN now() - GREATEST(older_than, interval '30 days');
END $$;

-- Drops the oldest month of a table once all of it is older than asked for; of events, once every reader has read
-- them. `outcome` says what became of it: DROPPED, UNREAD, or BUSY. No row: there is none so old.
-- DETACH CONCURRENTLY would wait for nobody, but neither beside a default partition nor within a function.
CREATE FUNCTION drop_oldest_partition(table_name text, older_than interval, readers text[])
    RETURNS TABLE (partition_name text, outcome text)
    LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, public SET lock_timeout = '100ms'
AS $$
DECLARE
    forgotten CONSTANT timestamptz := public.forgotten_before(table_name, older_than);
    is_unread boolean := false;
BEGIN
    SELECT member.relname INTO partition_name
    FROM pg_inherits JOIN pg_class AS member ON member.oid = inhrelid
    CROSS JOIN substring(pg_get_expr(member.relpartbound, member.oid) FROM 'TO \(''([^'']+)''\)') AS ends_at
    WHERE inhparent = format('public.%I', table_name)::regclass AND ends_at::timestamptz <= forgotten
    ORDER BY ends_at::timestamptz LIMIT 1;
    IF partition_name IS NULL THEN
        RETURN;
    END IF;
    -- Nobody adds to it from here on, so what is found read is all there is.
    EXECUTE format('LOCK TABLE public.%I IN SHARE ROW EXCLUSIVE MODE', partition_name);
    IF table_name = 'events' THEN
        EXECUTE format(
            'SELECT EXISTS (
                SELECT FROM public.owners AS owner
                CROSS JOIN LATERAL (
                    SELECT event.xid, event.event_id FROM public.%I AS event WHERE event.owner_id = owner.owner_id
                    ORDER BY event.xid DESC, event.event_id DESC LIMIT 1
                ) AS newest
                WHERE public.is_unread(owner.owner_id, newest.xid, newest.event_id, $1)
            )',
            partition_name
        ) INTO is_unread USING readers;
    END IF;
    IF is_unread THEN
        outcome := 'UNREAD';
    ELSE
        EXECUTE format('DROP TABLE public.%I', partition_name);
        outcome := 'DROPPED';
    END IF;
    RETURN NEXT;
EXCEPTION WHEN lock_not_available THEN
    outcome := 'BUSY';
    RETURN NEXT;
END $$;

-- Some reader of an owner, known from its place or named, has not got as far as this event.
CREATE FUNCTION is_unread(of_owner bigint, at_xid xid8, at_event bigint, readers text[]) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, public
AS $$
    SELECT EXISTS (
        SELECT FROM public.event_cursors AS reached
        WHERE reached.owner_id = of_owner AND (reached.xid, reached.event_id) < (at_xid, at_event)
    ) OR EXISTS (
        SELECT FROM unnest(readers) AS named (reader)
        WHERE NOT EXISTS (
            SELECT FROM public.event_cursors AS reached
            WHERE reached.owner_id = of_owner AND reached.reader = named.reader
        )
    )
$$;

-- What no month took in, because a clock was wrong or an import brought it, lies in the default partition and goes
-- row by row, a bounded number at a call. Returns how many went.
CREATE FUNCTION prune_strays(table_name text, older_than interval, readers text[]) RETURNS bigint
    LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    forgotten CONSTANT timestamptz := public.forgotten_before(table_name, older_than);
    gone bigint;
BEGIN
    EXECUTE format(
        'DELETE FROM public.%1$I WHERE ctid = ANY (ARRAY(
             SELECT stray.ctid FROM public.%1$I AS stray WHERE stray.created_at < $1 AND %2$s LIMIT 20000
         ))',
        table_name || '_default',
        CASE WHEN table_name = 'events'
             THEN 'NOT public.is_unread(stray.owner_id, stray.xid, stray.event_id, $2)' ELSE '$2 IS NOT NULL' END
    ) USING forgotten, readers;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

REVOKE EXECUTE ON FUNCTION make_partitions_ahead, drop_oldest_partition, prune_strays, forgotten_before, is_unread
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partitions_ahead, drop_oldest_partition, prune_strays TO owner_app;

-- It could empty the quarantine of any age.
DROP FUNCTION quarantine_prune;
