-- tables --
-- Every table that holds tenants' rows, as the catalogue knows it. What Postgres computes itself is no column here.
SELECT
    kept.relname AS name,
    ARRAY(
        SELECT attname::text FROM pg_attribute
        WHERE attrelid = kept.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
    ) AS columns,
    ARRAY(
        SELECT attname::text FROM pg_attribute
        WHERE attrelid = kept.oid AND attnum > 0 AND NOT attisdropped AND atttypid = 'xid8'::regtype
    ) AS transaction_columns,
    ARRAY(
        SELECT attname::text FROM pg_attribute
        WHERE attrelid = kept.oid AND attnum > 0 AND NOT attisdropped AND NOT attnotnull
    ) AS nullable_columns,
    ARRAY(
        SELECT attname::text FROM pg_attribute WHERE attrelid = kept.oid AND attidentity <> ''
    ) AS identity_columns,
    ARRAY(
        SELECT attname::text FROM pg_constraint CROSS JOIN LATERAL unnest(conkey) WITH ORDINALITY AS part (number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = part.number
        WHERE conrelid = kept.oid AND contype = 'p' ORDER BY place
    ) AS key,
    ARRAY(
        SELECT DISTINCT confrelid::regclass::text FROM pg_constraint
        WHERE conrelid = kept.oid AND contype = 'f' AND confrelid <> conrelid AND conparentid = 0
    ) AS refers_to,
    ARRAY(
        SELECT attname::text FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[cardinality(conkey)]
        WHERE conrelid = kept.oid AND contype = 'f' AND confrelid = conrelid
    ) AS self_references,
    ARRAY(
        SELECT conname::text FROM pg_constraint
        WHERE conrelid = kept.oid AND contype = 'u' AND NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey) AND attname = 'owner_id'
        )
    ) AS unique_across_owners
FROM pg_class AS kept
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND EXISTS (SELECT FROM pg_policy WHERE polrelid = kept.oid AND polname = 'tenant')
ORDER BY relname

-- cursors --
-- How far readers of the feed are, told by event ids alone: an import gives all events one transaction id, so the
-- first that a reader has not had is where it goes on. Some it may get again, none is lost.
SELECT owner_id, reader, failures, next_attempt_at, updated_at, COALESCE(
    (SELECT min(unread.event_id) - 1 FROM events AS unread
     WHERE (unread.xid, unread.event_id) > (event_cursors.xid, event_cursors.event_id)),
    (SELECT max(event_id) FROM events),
    event_cursors.event_id
) AS event_id
FROM event_cursors ORDER BY reader

-- stop --
-- No key of the owner opens anything any more.
UPDATE owners SET suspended_at = COALESCE(suspended_at, now())

-- cancel_queued --
-- What waits to be sent stays with the original.
UPDATE messages SET delivery_status = 'CANCELED', next_attempt_at = NULL, claimed_until = NULL
WHERE delivery_status = 'QUEUED' AND provider_sid IS NULL AND direction = 'OUTBOUND'

-- disable_endpoints --
-- A copy tells nobody what the original tells already.
UPDATE webhook_endpoints SET is_enabled = false, disabled_at = now(), due_at = NULL,
    disabled_reason = 'a copy of another owner: enable it when it should be told'
WHERE is_enabled
