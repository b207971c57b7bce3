-- keep_zone --
-- Remember whose days the sums are of.
-- $1 owner, $2 time zone
INSERT INTO fact_zones (owner_id, time_zone) VALUES ($1, $2)
ON CONFLICT (owner_id) DO UPDATE SET time_zone = excluded.time_zone

-- conversations --
-- What events may leave out about their conversations.
-- $1 conversations
SELECT conv_id, channel,
       CASE WHEN closed_at IS NOT NULL THEN greatest(extract(epoch FROM closed_at - started_at), 0)::float8 END AS seconds
FROM conversations WHERE conv_id = ANY ($1)

-- detector_versions --
-- Which version of the detector last judged each conversation.
-- $1 conversations
SELECT DISTINCT ON (conv_id) conv_id, label FROM facts
WHERE conv_id = ANY ($1) AND kind IN ('CLOSURE_MADE', 'CLOSURE_SUSPECTED')
ORDER BY conv_id, event_id DESC

-- add_facts --
-- Those that are new, with the day on which they fall.
-- $1 owner, $2 time zone, then one list for each column
INSERT INTO facts (owner_id, event_id, kind, created_at, conv_id, msg_id, channel, label, seconds, bucket)
SELECT $1, * FROM unnest(
    $3::bigint[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bigint[], $8::text[], $9::text[],
    $10::float8[], $11::smallint[]
)
ON CONFLICT DO NOTHING
RETURNING kind, (created_at AT TIME ZONE $2)::date AS day, channel, label, seconds, bucket

-- add_sum --
-- Add to the sum of a day, bucket by bucket.
INSERT INTO fact_days AS kept (owner_id, kind, day, channel, label, count, seconds, histogram)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (owner_id, kind, day, channel, label) DO UPDATE SET
    count = kept.count + excluded.count,
    seconds = kept.seconds + excluded.seconds,
    histogram = ARRAY(
        SELECT COALESCE(was, 0) + COALESCE(more, 0)
        FROM unnest(kept.histogram, excluded.histogram) WITH ORDINALITY AS bucket (was, more, place)
        ORDER BY place
    )

-- sums --
-- The facts of a while, counted by bucket, to sum up days anew.
-- $1 time zone, $2 from, $3 before
SELECT kind, (created_at AT TIME ZONE $1)::date AS day, channel, label, bucket,
       count(*) AS count, COALESCE(sum(seconds), 0)::float8 AS seconds
FROM facts WHERE created_at >= $2 AND created_at < $3
GROUP BY 1, 2, 3, 4, 5

-- durations --
-- $1 kind, $2 first day, $3 last day, $4 channel or null
SELECT kind, day, channel, label, count, seconds, histogram FROM fact_days
WHERE kind = $1 AND day BETWEEN $2 AND $3 AND ($4::text IS NULL OR channel = $4)

-- counts --
-- $1 kinds, $2 first day, $3 last day, $4 channel or null, $5 by day, $6 by channel
SELECT kind, CASE WHEN $5::boolean THEN day END AS day, CASE WHEN $6::boolean THEN channel END AS channel, label,
       sum(count)::bigint AS count, sum(seconds) AS seconds, '{}'::integer[] AS histogram
FROM fact_days
WHERE kind = ANY ($1::text[]) AND day BETWEEN $2 AND $3 AND ($4::text IS NULL OR channel = $4)
GROUP BY 1, 2, 3, 4

-- zone --
-- Whose days the sums are of (the owner's, where there are none yet), and which day it is there.
-- $1 now
SELECT time_zone, ($1::timestamptz AT TIME ZONE time_zone)::date AS today
FROM (SELECT COALESCE((SELECT time_zone FROM fact_zones), (SELECT time_zone FROM owners), 'UTC') AS time_zone) AS zone
