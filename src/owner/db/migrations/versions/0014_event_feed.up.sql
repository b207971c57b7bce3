SET LOCAL lock_timeout = '5s';

-- How far each reader of an owner's events has got. What a reader wrote is committed together with its place.
CREATE TABLE event_cursors (
    owner_id bigint NOT NULL REFERENCES owners,
    reader text NOT NULL,
    xid xid8 NOT NULL,
    event_id bigint NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_id, reader)
);
CALL make_tenant_table('event_cursors');

-- What is new, whoever it belongs to: the one question about events that is asked across owners.
CREATE INDEX idx_events_feed ON events (xid, owner_id);

CREATE POLICY directory ON events FOR SELECT TO owner_directory USING (true);
CREATE POLICY directory ON event_cursors FOR SELECT TO owner_directory USING (true);
GRANT SELECT (owner_id, xid, event_id) ON events TO owner_directory;
GRANT SELECT (owner_id, reader, xid, event_id) ON event_cursors TO owner_directory;
GRANT CREATE ON SCHEMA public TO owner_directory;

-- Owners whose events were settled between two moments, told as the oldest running transaction of each.
CREATE FUNCTION directory_owners_with_events(since xid8, until xid8) RETURNS TABLE (owner_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT DISTINCT event.owner_id FROM public.events AS event WHERE event.xid >= since AND event.xid < until
$$;

-- Owners of whom some reader has not read everything: one look at the newest event of each.
CREATE FUNCTION directory_owners_behind(readers text[]) RETURNS TABLE (owner_id bigint)
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

ALTER FUNCTION directory_owners_with_events OWNER TO owner_directory;
ALTER FUNCTION directory_owners_behind OWNER TO owner_directory;
REVOKE EXECUTE ON FUNCTION directory_owners_with_events, directory_owners_behind FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory_owners_with_events, directory_owners_behind TO owner_app;
REVOKE CREATE ON SCHEMA public FROM owner_directory;
