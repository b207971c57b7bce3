SET LOCAL lock_timeout = '5s';

-- Moments have no index, which every event that is stored would pay for. The feed is all but in their order: this halves
-- the month of `moment` until a quarter of an hour is left. What comes before `older` in the feed happened before
-- `moment`, what comes after `newer` did not; NULL where nothing is to be left out. Only all but: an event bears the
-- moment at which its transaction began, and its place is where that first wrote, so callers leave room for as long as
-- one may read before. What an import brought is of one transaction, and not to be halved.
CREATE FUNCTION event_feed_around(moment timestamptz, OUT older xid8, OUT newer xid8)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_sort = off SET enable_incremental_sort = off
AS $$
DECLARE
    begins_at CONSTANT timestamptz := date_trunc('month', moment, 'UTC');
    ends_at CONSTANT timestamptz := (begins_at AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    low bigint;
    high bigint;
    older_at timestamptz;
    newer_at timestamptz;
    middle xid8;
    middle_at timestamptz;
BEGIN
    SELECT event.xid, event.created_at INTO older, older_at FROM public.events AS event
        WHERE event.created_at >= begins_at AND event.created_at < ends_at ORDER BY event.xid, event.event_id LIMIT 1;
    SELECT event.xid, event.created_at INTO newer, newer_at FROM public.events AS event
        WHERE event.created_at >= begins_at AND event.created_at < ends_at
        ORDER BY event.xid DESC, event.event_id DESC LIMIT 1;
    IF older_at >= moment THEN
        newer := older;
        older := NULL;
    ELSIF newer_at < moment THEN
        older := newer;
        newer := NULL;
    END IF;
    low := older::text::bigint;
    high := newer::text::bigint;
    WHILE high - low > 1 AND newer_at - older_at > interval '15 minutes' LOOP
        SELECT event.xid, event.created_at INTO middle, middle_at FROM public.events AS event
            WHERE event.xid >= ((low + high) / 2)::text::xid8
              AND event.created_at >= begins_at AND event.created_at < ends_at
            ORDER BY event.xid, event.event_id LIMIT 1;
        IF middle_at < moment THEN
            older := middle;
            older_at := middle_at;
            low := middle::text::bigint;
        ELSE
            newer := middle;
            newer_at := middle_at;
            high := (low + high) / 2;
        END IF;
    END LOOP;
END $$;

-- The newest first, back to `since`. However long the conversation is: Postgres takes each for a short one, and would
-- sort all of it. An event bears the moment at which its transaction began, and may have waited for the one before it.
CREATE FUNCTION conversation_events(of_conv_id bigint, since timestamptz, until timestamptz, at_most integer)
    RETURNS SETOF events
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_sort = off SET enable_incremental_sort = off
AS $$
DECLARE
    first_month CONSTANT timestamptz := date_trunc('month', since, 'UTC');
    wait CONSTANT interval := interval '1 minute';
    happened public.events;
    returned integer := 0;
BEGIN
    FOR happened IN
        SELECT * FROM public.events AS event
        WHERE event.conv_id = of_conv_id AND event.created_at >= first_month AND event.created_at < until
        ORDER BY event.event_id DESC
    LOOP
        EXIT WHEN returned >= at_most OR happened.created_at < since - wait;
        CONTINUE WHEN happened.created_at < since;
        returned := returned + 1;
        RETURN NEXT happened;
    END LOOP;
END $$;

REVOKE EXECUTE ON FUNCTION event_feed_around, conversation_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION event_feed_around, conversation_events TO owner_app;
