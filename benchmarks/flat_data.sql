-- Rows as the product writes them, by the server itself. Everything that looks random is a hash of an id, so every
-- table can be filled by itself and the tables still fit together. `flat_data.py` runs these in order; where `from_no`
-- and `to_no` are named, several connections fill one table together.

-- prepare --
CREATE SCHEMA flat;
-- What looks random, from 0 up to 1.
CREATE FUNCTION flat.drawn(id bigint, seed integer) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (hashint8extended(id, seed) & 2147483647) / 2147483648.0::float8 $$;
-- `rank` 1 has most. An owner gets the conversations whose draw lies from `share_from` to the next one's.
CREATE UNLOGGED TABLE flat.owner (
    rank integer PRIMARY KEY, owner_id bigint, share_from float8, contacts bigint, first_contact bigint,
    twilio_account_id bigint, our_address text, user_ids bigint[], api_key_id bigint, endpoint_id bigint, label_ids bigint[]
);
CREATE UNLOGGED TABLE flat.text (no integer PRIMARY KEY, content text, lexemes text[]);
CREATE UNLOGGED TABLE flat.person (no integer PRIMARY KEY, name text, name_key text, words text[]);

-- conversations_drawn --
-- {conversations} of them, begun within {days} days; the events of {event_days} are still kept, in {xids} transactions.
CREATE UNLOGGED TABLE flat.conv AS
WITH drawn AS (
    SELECT no, flat.drawn(no, 1) AS who, flat.drawn(no, 2) AS contact,
           LEAST(80, 1 + floor(-ln(1 - flat.drawn(no, 3)) * 9.5))::bigint AS n,
           CASE WHEN flat.drawn(no, 4) < 0.3 THEN 2 ELSE 3 END AS turn,
           LEAST(72000, -ln(1 - flat.drawn(no, 5)) * 3600) AS seconds,
           now() - make_interval(days => {days}) * (1 - (no - 0.5) / {conversations}) - interval '26 hours' AS begun
    FROM generate_series(1, {conversations}::bigint) AS no
    UNION ALL
    -- One long thread of the owner who has most.
    SELECT {conversations} + 1, 0, 0, {thread}, 2, {thread} * 60.0, now() - make_interval(secs => ({thread} + 60) * 60)
), placed AS (
    SELECT drawn.*, owner.*, owner.first_contact + CASE WHEN no > {conversations} THEN owner.contacts ELSE floor(contact * owner.contacts)::bigint END AS contact_id,
           make_interval(secs => seconds / n) AS step
    FROM drawn JOIN flat.owner ON owner.rank = width_bucket(who, (SELECT array_agg(share_from ORDER BY rank) FROM flat.owner))
), known AS (
    SELECT placed.*, lag(no) OVER known_before AS previous, lead(no) OVER known_before IS NULL AS is_latest,
           begun + step * (n - 1) AS last_at, n % turn = 0 AS is_ours
    FROM placed WINDOW known_before AS (PARTITION BY contact_id ORDER BY no)
), decided AS (
    SELECT known.*, CASE
        WHEN is_latest AND (no > {conversations} OR (begun > now() - interval '60 days' AND flat.drawn(no, 6) < 0.45))
            THEN CASE WHEN n < turn THEN 'PENDING' ELSE 'PROGRESS' END
        WHEN n < turn THEN CASE WHEN begun < now() - interval '3 days' THEN 'EXPIRED' ELSE 'AGENT_CLOSED' END
        WHEN is_ours AND flat.drawn(no, 7) < 0.4 THEN 'IDLE_TIMEOUT'
        WHEN NOT is_ours AND flat.drawn(no, 7) < 0.4 THEN 'USER_CLOSED'
        WHEN flat.drawn(no, 7) > 0.9 THEN 'SUPPORT_CLOSED' ELSE 'AGENT_CLOSED' END AS status
    FROM known
)
SELECT no, no AS conv_id, owner_id, contact_id, n, turn, step, begun, last_at, is_ours, previous, status,
       twilio_account_id, our_address, api_key_id, endpoint_id, label_ids,
       status IN ('PENDING', 'PROGRESS') AS is_open,
       CASE WHEN status = 'EXPIRED' THEN begun + interval '1440 minutes' WHEN status = 'IDLE_TIMEOUT' THEN last_at + interval '1 hour'
            WHEN status = 'USER_CLOSED' THEN last_at
            WHEN status IN ('AGENT_CLOSED', 'SUPPORT_CLOSED') THEN last_at + make_interval(secs => 20 + 500 * flat.drawn(no, 8)) END AS closed_at,
       CASE WHEN contact_id % 2 = 0 THEN 'SMS' ELSE 'WHATSAPP' END AS channel,
       flat.drawn(no, 9) < 0.15 AS is_bots,
       user_ids[1 + floor(flat.drawn(no, 10) * 4)::integer] AS user_id,
       CASE WHEN turn <= n THEN begun + step * (turn - 1) END AS answered_at,
       (sum(n) OVER in_order)::bigint - n AS messages_before,
       5 * ((sum(n) OVER in_order)::bigint - n) + 3 * no AS events_before,
       begun >= now() - make_interval(days => {event_days}) AS has_events,
       ({first_xid} + no * {xids} / ({conversations} + 1))::text::xid8 AS xid
FROM decided WINDOW in_order AS (ORDER BY no)
ORDER BY no;
ALTER TABLE flat.conv ADD PRIMARY KEY (no);
-- Each message with what it says and when; `first_text`, `more` and `seldom` are texts, `number` perhaps an order's.
CREATE VIEW flat.message AS
SELECT conv.no, conv.owner_id, conv.conv_id, conv.contact_id, conv.channel, conv.xid, conv.is_bots, conv.user_id, conv.api_key_id,
       conv.endpoint_id, conv.has_events, seq, seq % turn = 0 AS is_out, seq = turn AS is_first_answer, begun + step * (seq - 1) AS said_at,
       messages_before + seq AS msg_id, events_before + 2 + (seq - 1) * 5 AS event_id,
       extract(epoch FROM step * (turn - 1))::float8 AS reply_seconds,
       flat.drawn(messages_before + seq, 20) < 0.04 AS is_undelivered,
       200 * CASE WHEN seq = 1 THEN 0 WHEN seq % turn = 0 THEN 2 WHEN seq = n AND status = 'USER_CLOSED' THEN 3 ELSE 1 END
           + floor(200 * flat.drawn(messages_before + seq, 21))::integer AS first_text,
       CASE WHEN flat.drawn(messages_before + seq, 22) < 0.6 AND NOT (seq = n AND status = 'USER_CLOSED')
            THEN 200 * CASE WHEN seq % turn = 0 THEN 2 ELSE 1 END + floor(200 * flat.drawn(messages_before + seq, 23))::integer
            ELSE -1 END AS more,
       CASE WHEN flat.drawn(messages_before + seq, 24) < 0.25 AND NOT (seq = n AND status = 'USER_CLOSED')
            THEN 100000 + messages_before + seq END AS number,
       CASE WHEN flat.drawn(messages_before + seq, 25) < 0.001 THEN -2 ELSE -1 END AS seldom
FROM flat.conv CROSS JOIN LATERAL generate_series(1, conv.n) AS seq;

-- contacts --
INSERT INTO contacts (owner_id, contact_id, name, name_key, created_at, updated_at)
SELECT owner.owner_id, contact_id, person.name, person.name_key, created_at, created_at
FROM flat.owner CROSS JOIN LATERAL generate_series(first_contact, first_contact + contacts) AS contact_id
CROSS JOIN LATERAL (SELECT now() - make_interval(days => {days} + 2) * (1 - flat.drawn(contact_id, 30) / 2) AS created_at) AS known
LEFT JOIN flat.person ON person.no = floor(flat.drawn(contact_id, 31) * 5000)::integer AND flat.drawn(contact_id, 32) < 0.8;
INSERT INTO contact_addresses (owner_id, address, channel, reply_address, contact_id, created_at)
SELECT owner_id, address, CASE WHEN contact_id % 2 = 0 THEN 'SMS' ELSE 'WHATSAPP' END, address, contact_id, created_at
FROM contacts CROSS JOIN LATERAL (SELECT '+55119' || lpad(contact_id::text, 8, '0') AS address) AS own;
INSERT INTO contact_words (owner_id, word, contact_id)
SELECT owner_id, word, contact_id
FROM contacts CROSS JOIN LATERAL (SELECT '55119' || lpad(contact_id::text, 8, '0') AS digits) AS own
LEFT JOIN flat.person ON person.no = floor(flat.drawn(contact_id, 31) * 5000)::integer AND flat.drawn(contact_id, 32) < 0.8
CROSS JOIN LATERAL (
    SELECT DISTINCT unnest(ARRAY[digits, right(digits, 11), right(digits, 10), right(digits, 9), right(digits, 8), right(digits, 4),
                                 '11' || right(digits, 8)] || COALESCE(person.words, '{{}}')) AS word
) AS words;

-- conversations --
INSERT INTO conversations (owner_id, conv_id, status, channel, contact_id, customer_address, our_address, twilio_account_id, handler,
    assignee_id, priority, context, last_seq, started_at, last_activity_at, last_inbound_at, first_response_at, expires_at,
    waiting_since, idle_at, idle_after, reopen_grace, closed_at, closed_by, closed_by_id, closed_reason, status_before_close,
    previous_conv_id, created_at, updated_at)
SELECT owner_id, conv_id, status, channel, contact_id, '+55119' || lpad(contact_id::text, 8, '0'), our_address, twilio_account_id,
    CASE WHEN is_bots THEN 'BOT' ELSE 'PERSON' END,
    CASE WHEN NOT is_bots AND n >= turn AND flat.drawn(no, 11) < 0.7 THEN user_id END,
    CASE WHEN flat.drawn(no, 12) < 0.75 THEN 'NORMAL' WHEN flat.drawn(no, 12) < 0.9 THEN 'HIGH' WHEN flat.drawn(no, 12) < 0.95 THEN 'URGENT' ELSE 'LOW' END,
    CASE WHEN status = 'USER_CLOSED' THEN jsonb_build_object('closure', flat.evidence(messages_before + n)) ELSE '{{}}' END,
    n, begun, last_at, begun + step * (CASE WHEN is_ours THEN n - 2 ELSE n - 1 END), answered_at,
    CASE WHEN is_open THEN now() + make_interval(days => 3 + (57 * flat.drawn(no, 13))::integer) ELSE begun + interval '1440 minutes' END,
    CASE WHEN is_open AND NOT is_ours THEN begun + step * (n / turn * turn) END,
    CASE WHEN is_open AND is_ours THEN last_at + interval '200 days' END,
    CASE WHEN is_open THEN interval '200 days' ELSE interval '60 minutes' END, interval '10 minutes', closed_at,
    CASE status WHEN 'EXPIRED' THEN 'TIMER' WHEN 'IDLE_TIMEOUT' THEN 'TIMER' WHEN 'USER_CLOSED' THEN 'DETECTOR' ELSE CASE WHEN NOT is_open THEN 'USER' END END,
    CASE WHEN status IN ('AGENT_CLOSED', 'SUPPORT_CLOSED') THEN user_id END,
    CASE status WHEN 'EXPIRED' THEN 'maximum age reached' WHEN 'IDLE_TIMEOUT' THEN 'no activity for 60 minutes'
                WHEN 'USER_CLOSED' THEN 'the customer said that it is over' END,
    CASE WHEN NOT is_open THEN CASE WHEN n < turn THEN 'PENDING' ELSE 'PROGRESS' END END,
    previous, begun, COALESCE(closed_at, last_at)
FROM flat.conv ORDER BY no;
INSERT INTO conversation_labels (owner_id, conv_id, label_id, created_at)
SELECT owner_id, conv_id, label_ids[place], begun FROM flat.conv, unnest(ARRAY[0.2, 0.1, 0.02, 0.002]) WITH ORDINALITY AS part (share, place)
WHERE flat.drawn(no, 40 + place::integer) < share;
INSERT INTO conversation_reads (owner_id, conv_id, reader_kind, reader_id, last_read_seq)
SELECT owner_id, conv_id, 'USER', user_id, n - (no % 3 = 0)::integer FROM flat.conv WHERE flat.drawn(no, 14) < 0.4 AND n > 1;

-- messages --
INSERT INTO messages (owner_id, msg_id, conv_id, seq, direction, message_owner, message_type, content, provider_sid, delivery_status,
    error_code, author_id, attempts, created_at, updated_at)
SELECT owner_id, msg_id, conv_id, seq, CASE WHEN is_out THEN 'OUTBOUND' ELSE 'INBOUND' END,
    CASE WHEN NOT is_out THEN 'USER' WHEN is_bots THEN 'AI' ELSE 'AGENT' END, 'TEXT',
    concat_ws(' ', said.content, further.content, rarely.content, 'Pedido ' || number), 'SM' || md5(msg_id::text),
    CASE WHEN NOT is_out THEN 'RECEIVED' WHEN is_undelivered THEN 'UNDELIVERED' ELSE 'DELIVERED' END,
    CASE WHEN is_out AND is_undelivered THEN 30003 END,
    CASE WHEN is_out THEN CASE WHEN is_bots THEN api_key_id ELSE user_id END END, is_out::integer, said_at,
    CASE WHEN is_out THEN said_at + interval '5 seconds' ELSE said_at END
FROM flat.message JOIN flat.text AS said ON said.no = first_text JOIN flat.text AS further ON further.no = more
JOIN flat.text AS rarely ON rarely.no = seldom
WHERE message.no > {from_no} AND message.no <= {to_no};

-- message_search --
INSERT INTO message_search (owner_id, msg_id, conv_id, lexemes)
SELECT owner_id, msg_id, conv_id, array_to_tsvector(ARRAY(
    SELECT owner_id || ':' || lexeme
    FROM unnest(said.lexemes || further.lexemes || rarely.lexemes || CASE WHEN number IS NOT NULL THEN ARRAY['pedido', 'ped', number::text] END) AS lexeme
))
FROM flat.message JOIN flat.text AS said ON said.no = first_text JOIN flat.text AS further ON further.no = more
JOIN flat.text AS rarely ON rarely.no = seldom
WHERE message.no > {from_no} AND message.no <= {to_no};

-- events --
INSERT INTO events (owner_id, event_id, xid, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data, created_at)
SELECT owner_id, events_before + place, xid, type, actor_kind, actor_id, conv_id, NULL, contact_id, data, at
FROM flat.conv CROSS JOIN LATERAL (VALUES
    (1, true, 'conversation.opened', 'CUSTOMER', NULL, jsonb_build_object('channel', channel, 'previous_conv_id', previous), begun),
    (2 + 5 * n, NOT is_open, 'conversation.closed',
     CASE WHEN status IN ('EXPIRED', 'IDLE_TIMEOUT') THEN 'TIMER' WHEN status = 'USER_CLOSED' THEN 'DETECTOR' ELSE 'USER' END,
     CASE WHEN status IN ('AGENT_CLOSED', 'SUPPORT_CLOSED') THEN user_id END,
     jsonb_build_object('channel', channel, 'status_to', status, 'status_from', CASE WHEN n < turn THEN 'PENDING' ELSE 'PROGRESS' END,
                        'resolution_seconds', extract(epoch FROM closed_at - begun)::float8)
         || CASE WHEN status = 'USER_CLOSED' THEN jsonb_build_object('closure', flat.evidence(messages_before + n)) ELSE '{{}}' END, closed_at)
) AS told (place, happened, type, actor_kind, actor_id, data, at)
WHERE happened AND has_events AND no > {from_no} AND no <= {to_no}
UNION ALL
SELECT owner_id, event_id + place, xid, type, actor_kind, actor_id, conv_id, msg_id, CASE WHEN place < 2 THEN contact_id END, data, at
FROM flat.message CROSS JOIN LATERAL (VALUES
    (0, NOT is_out, 'message.received', 'CUSTOMER', NULL, jsonb_build_object('seq', seq, 'message_type', 'TEXT', 'after_closure', false), said_at),
    (1, is_out, 'message.queued', CASE WHEN is_bots THEN 'API_KEY' ELSE 'USER' END, CASE WHEN is_bots THEN api_key_id ELSE user_id END,
     jsonb_build_object('seq', seq, 'channel', channel, 'written_by', CASE WHEN is_bots THEN 'AI' ELSE 'AGENT' END, 'message_type', 'TEXT',
                        'reply_seconds', reply_seconds)
         || CASE WHEN is_first_answer THEN jsonb_build_object('first_response_seconds', reply_seconds) ELSE '{{}}' END, said_at),
    (2, is_out, 'message.accepted', 'PROVIDER', NULL, '{{}}'::jsonb, said_at + interval '1 second'),
    (3, is_out, 'message.sent', 'PROVIDER', NULL, '{{"error_code": null, "is_conflicted": false}}', said_at + interval '2 seconds'),
    (4, is_out, CASE WHEN is_undelivered THEN 'message.undelivered' ELSE 'message.delivered' END, 'PROVIDER', NULL,
     jsonb_build_object('error_code', CASE WHEN is_undelivered THEN 30003 END, 'is_conflicted', false), said_at + interval '5 seconds')
) AS told (place, happened, type, actor_kind, actor_id, data, at)
WHERE happened AND has_events AND no > {from_no} AND no <= {to_no}
ORDER BY 2;
INSERT INTO events (owner_id, event_id, xid, type, actor_kind, actor_id, conv_id, contact_id, data, created_at)
SELECT owner_id, events_before + 2 + (turn - 1) * 5, xid, 'conversation.status_changed', CASE WHEN is_bots THEN 'API_KEY' ELSE 'USER' END,
       CASE WHEN is_bots THEN api_key_id ELSE user_id END, conv_id, contact_id,
       '{{"reason": "answered", "status_to": "PROGRESS", "status_from": "PENDING"}}', answered_at
FROM flat.conv WHERE answered_at IS NOT NULL AND has_events AND no > {from_no} AND no <= {to_no};

-- facts --
INSERT INTO facts (owner_id, event_id, kind, created_at, conv_id, msg_id, channel, label, seconds, bucket)
SELECT owner_id, events_before + place, kind, at, conv_id, NULL, channel, label, seconds, flat.bucket(seconds)
FROM flat.conv CROSS JOIN LATERAL (VALUES
    (1, true, 'OPENED', begun, '', NULL),
    (2 + 5 * n, NOT is_open, 'CLOSED', closed_at, status, NULL),
    (2 + 5 * n, NOT is_open, 'RESOLUTION', closed_at, '', extract(epoch FROM closed_at - begun)::float8),
    (2 + 5 * n, status = 'USER_CLOSED', 'CLOSURE_MADE', closed_at, 'rules-2', NULL)
) AS told (place, happened, kind, at, label, seconds)
WHERE happened AND no > {from_no} AND no <= {to_no}
UNION ALL
SELECT owner_id, event_id + place, kind, at, conv_id, msg_id, channel, label, seconds, flat.bucket(seconds)
FROM flat.message CROSS JOIN LATERAL (VALUES
    (1, true, 'MESSAGE_QUEUED', said_at, '', NULL),
    (1, true, 'REPLY', said_at, '', reply_seconds),
    (1, is_first_answer, 'FIRST_RESPONSE', said_at, '', reply_seconds),
    (2, true, 'MESSAGE_ACCEPTED', said_at + interval '1 second', '', NULL),
    (3, true, 'MESSAGE_SENT', said_at + interval '2 seconds', '', NULL),
    (4, NOT is_undelivered, 'MESSAGE_DELIVERED', said_at + interval '5 seconds', '', NULL),
    (4, is_undelivered, 'MESSAGE_UNDELIVERED', said_at + interval '5 seconds', '30003', NULL)
) AS told (place, happened, kind, at, label, seconds)
WHERE is_out AND happened AND no > {from_no} AND no <= {to_no};

-- deliveries --
INSERT INTO webhook_deliveries (owner_id, delivery_id, endpoint_id, event_id, event_type, conv_id, sequence, payload, status, attempts,
    finished_at, last_status, last_error, attempt_log, created_at)
SELECT owner_id, event_id, endpoint_id, event_id, 'message.received', conv_id, row_number() OVER (PARTITION BY conv_id ORDER BY seq),
    jsonb_build_object('type', 'message.received', 'timestamp', said_at, 'data', jsonb_build_object('event_id', event_id, 'owner_id', owner_id,
        'sequence', 1, 'conv_id', conv_id, 'msg_id', msg_id, 'contact_id', contact_id, 'actor_kind', 'CUSTOMER', 'actor_id', NULL,
        'data', jsonb_build_object('seq', seq, 'message_type', 'TEXT', 'after_closure', false)))::text,
    CASE WHEN is_lost THEN 'FAILED' ELSE 'DELIVERED' END, 1, said_at + interval '1 second', CASE WHEN is_lost THEN 500 ELSE 200 END,
    CASE WHEN is_lost THEN 'STATUS' END, '[]', said_at
FROM flat.message CROSS JOIN LATERAL (SELECT flat.drawn(msg_id, 50) < 0.01 AS is_lost) AS fate
WHERE NOT is_out AND endpoint_id IS NOT NULL AND said_at > now() - interval '30 days';
INSERT INTO webhook_sequences (owner_id, endpoint_id, conv_id, last_sequence)
SELECT owner_id, endpoint_id, conv_id, max(sequence) FROM webhook_deliveries WHERE conv_id IS NOT NULL GROUP BY 1, 2, 3;

-- quarantine --
INSERT INTO inbound_quarantine (owner_id, reason, path, params, signature, created_at)
SELECT CASE WHEN no % 2 = 0 THEN (SELECT owner_id FROM flat.owner WHERE rank = 1) END,
    CASE WHEN no % 5 = 0 THEN 'UNKNOWN_NUMBER' ELSE 'BAD_SIGNATURE' END, '/webhooks/twilio/inbound',
    jsonb_build_array(jsonb_build_array('MessageSid', 'SM' || md5(no::text)), jsonb_build_array('Body', 'Oi'),
                      jsonb_build_array('From', '+5511' || no), jsonb_build_array('To', '+551130000000')), 'c2lnbmF0dXJl',
    now() - interval '29 days' * (1 - no::float8 / ({conversations} / 10))
FROM generate_series(1, {conversations} / 10) AS no;

-- functions --
CREATE FUNCTION flat.evidence(msg_id bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT jsonb_build_object('msg_id', msg_id, 'signals', '[{{"name": "asks to close", "words": "encerrar", "weight": 1.0}}]'::jsonb,
    'decision', 'CLOSE', 'confidence', 1.0, 'context_score', 1.0, 'keyword_score', 1.0, 'pattern_score', 1.0,
    'detector_version', 'rules-2', 'duration_modifier', 1.0) $$;
CREATE FUNCTION flat.bucket(seconds float8) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN seconds < 1 THEN 0 WHEN seconds >= 1 THEN LEAST(400, 1 + floor(ln(seconds) / ln(1.05::float8))) END::smallint $$;

-- finish --
DO $$
DECLARE
    identity record;
    highest bigint;
BEGIN
    FOR identity IN
        SELECT attrelid::regclass AS filled, attname AS name, pg_get_serial_sequence(attrelid::regclass::text, attname) AS sequence
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE attidentity <> '' AND relnamespace = 'public'::regnamespace AND NOT relispartition
    LOOP
        EXECUTE format('SELECT COALESCE(max(%I), 0) + 1 FROM %s', identity.name, identity.filled) INTO highest;
        PERFORM setval(identity.sequence, highest);
    END LOOP;
END $$;
INSERT INTO event_cursors (owner_id, reader, xid, event_id)
SELECT owner_id, reader, pg_snapshot_xmin(pg_current_snapshot()), 0 FROM owners, unnest(ARRAY['facts', 'search', 'webhooks']) AS reader
ON CONFLICT (owner_id, reader) DO UPDATE SET xid = excluded.xid, event_id = excluded.event_id;
DROP SCHEMA flat CASCADE;

-- burn --
-- Transactions of which the events are said to be: readers only see what is older than all that runs.
DO $$ BEGIN FOR i IN 1..{xids} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$;
