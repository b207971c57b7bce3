SET LOCAL lock_timeout = '5s';

-- What reports are made of: one row for everything that is counted or measured, taken from events, never changed.
-- `label` is what tells facts of one kind apart: the status, the error code, or the detector's version.
CREATE TABLE facts (
    owner_id bigint NOT NULL REFERENCES owners,
    event_id bigint NOT NULL,
    kind text NOT NULL,
    created_at timestamptz NOT NULL,
    conv_id bigint,
    msg_id bigint,
    channel text NOT NULL,
    label text NOT NULL DEFAULT '',
    seconds double precision,
    bucket smallint,
    -- The moment is the event's own, so an event that is read twice is one fact.
    PRIMARY KEY (owner_id, event_id, kind, created_at)
) PARTITION BY RANGE (created_at);
CALL make_tenant_table('facts');
CREATE INDEX idx_facts_conversation ON facts (owner_id, conv_id, event_id);
CREATE INDEX idx_facts_message ON facts (owner_id, msg_id) WHERE msg_id IS NOT NULL;
SELECT make_partitions_ahead(3);
CREATE TABLE facts_default PARTITION OF facts DEFAULT;
ALTER TABLE facts_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE facts_default FORCE ROW LEVEL SECURITY;
CREATE POLICY migration ON facts_default TO CURRENT_USER USING (true) WITH CHECK (true);

-- What reports read: the facts of a day summed up, so that a report costs the same however many there are.
-- `histogram[n]` counts the durations of bucket n - 1. Days are those of the zone in `fact_zones`.
CREATE TABLE fact_days (
    owner_id bigint NOT NULL REFERENCES owners,
    kind text NOT NULL,
    day date NOT NULL,
    channel text NOT NULL,
    label text NOT NULL DEFAULT '',
    count bigint NOT NULL,
    seconds double precision NOT NULL DEFAULT 0,
    histogram integer[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (owner_id, kind, day, channel, label)
) WITH (fillfactor = 70);
CALL make_tenant_table('fact_days');

CREATE TABLE fact_zones (
    owner_id bigint PRIMARY KEY REFERENCES owners,
    time_zone text NOT NULL
);
CALL make_tenant_table('fact_zones');

-- After an import has stored rows with ids of their own, new rows get ids beyond them. Each id is looked up here, so
-- nobody can push a sequence further than rows of theirs reach; the margin is for ids that others draw meanwhile.
CREATE FUNCTION advance_identities() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    identity record;
    highest bigint;
    margin CONSTANT bigint := 10000;
BEGIN
    FOR identity IN
        SELECT attrelid::regclass AS tenant_table, attname AS name,
               pg_get_serial_sequence(attrelid::regclass::text, attname)::regclass AS sequence
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE attidentity <> '' AND relnamespace = 'public'::regnamespace AND NOT relispartition
          AND EXISTS (SELECT FROM pg_policy WHERE polrelid = attrelid AND polname = 'tenant')
    LOOP
        EXECUTE format('SELECT max(%I) FROM %s WHERE owner_id = $1', identity.name, identity.tenant_table)
            INTO highest USING NULLIF(current_setting('app.owner_id', true), '')::bigint;
        IF highest > COALESCE(pg_sequence_last_value(identity.sequence), 0) THEN
            PERFORM setval(identity.sequence, highest + margin);
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION advance_identities FROM PUBLIC;
GRANT EXECUTE ON FUNCTION advance_identities TO owner_app;

-- What was refused and may have been meant for an owner leaves with the owner.
GRANT CREATE ON SCHEMA public TO owner_platform;
CREATE FUNCTION quarantine_count_own() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT count(*) FROM public.inbound_quarantine
    WHERE owner_id = NULLIF(current_setting('app.owner_id', true), '')::bigint
$$;
CREATE FUNCTION quarantine_erase_own() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    WITH gone AS (
        DELETE FROM public.inbound_quarantine
        WHERE owner_id = NULLIF(current_setting('app.owner_id', true), '')::bigint RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
ALTER FUNCTION quarantine_count_own OWNER TO owner_platform;
ALTER FUNCTION quarantine_erase_own OWNER TO owner_platform;
REVOKE EXECUTE ON FUNCTION quarantine_count_own, quarantine_erase_own FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_count_own, quarantine_erase_own TO owner_app;
REVOKE CREATE ON SCHEMA public FROM owner_platform;
