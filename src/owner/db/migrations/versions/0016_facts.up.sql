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
