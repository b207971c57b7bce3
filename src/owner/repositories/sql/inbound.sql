-- load_inbound --
-- Everything that the decision about an inbound message needs, in one round trip: whether it is here already,
-- who wrote it, their open or latest conversation (locked), what was said last, and ids for what may be new.
-- $1 canonical address, $2 channel, $3 our address, $4 provider SID, $5 turns of history, $6 now,
-- $7 whether a goodbye may follow, which needs an id too
WITH person AS (
    SELECT contact_id, channel = $2 AS is_this_channel, reply_address, opted_out_at, opt_out_evidence, created_at,
        (SELECT blocked_at FROM contacts WHERE contacts.contact_id = contact_addresses.contact_id) AS blocked_at
    FROM contact_addresses WHERE address = $1
    ORDER BY channel = $2 DESC, created_at LIMIT 1
), open_conversation AS (
    SELECT * FROM conversations
    WHERE channel = $2 AND customer_address = $1 AND our_address = $3 AND status IN ('PENDING', 'PROGRESS')
    FOR UPDATE
), latest_conversation AS (
    SELECT * FROM conversations
    WHERE contact_id = (SELECT contact_id FROM person) AND channel = $2 AND our_address = $3
      AND customer_address = $1 AND NOT EXISTS (SELECT FROM open_conversation)
    ORDER BY conv_id DESC LIMIT 1 FOR UPDATE
), conversation AS (
    SELECT * FROM open_conversation UNION ALL SELECT * FROM latest_conversation
)
SELECT
    (SELECT msg_id FROM messages WHERE provider_sid = $4) AS duplicate_of,
    person.contact_id AS known_contact_id,
    person.is_this_channel,
    person.reply_address AS known_reply_address,
    person.opted_out_at,
    person.opt_out_evidence,
    person.created_at AS known_since,
    person.blocked_at,
    CASE WHEN person.is_this_channel IS NOT TRUE THEN EXISTS (SELECT FROM suppression_keys) END AS may_be_suppressed,
    CASE WHEN person.contact_id IS NULL THEN nextval('contacts_contact_id_seq') END AS new_contact_id,
    CASE WHEN NOT EXISTS (SELECT FROM open_conversation WHERE expires_at > $6 AND (idle_at IS NULL OR idle_at > $6))
        THEN nextval('conversations_conv_id_seq') END AS new_conv_id,
    nextval('messages_msg_id_seq') AS new_msg_id,
    CASE WHEN $7 THEN nextval('messages_msg_id_seq') END AS goodbye_msg_id,
    (SELECT jsonb_agg(jsonb_build_array(said.direction, said.content) ORDER BY said.seq)
     FROM (SELECT direction, content, seq FROM messages
           WHERE conv_id = conversation.conv_id ORDER BY seq DESC LIMIT $5) AS said) AS history,
    conversation.*
FROM (SELECT) AS one_row
LEFT JOIN person ON true
LEFT JOIN conversation ON true

-- store_inbound --
-- Everything that the decision changed, in one round trip. Each parameter is a list of whole rows.
-- $1 contacts, $2 contact addresses, $3 conversations, $4 messages, $5 media, $6 events, $7 changes of consent,
-- $8 words under which new contacts are found
WITH kept_contacts AS (
    INSERT INTO contacts SELECT * FROM jsonb_populate_recordset(NULL::contacts, $1)
), kept_addresses AS (
    INSERT INTO contact_addresses SELECT * FROM jsonb_populate_recordset(NULL::contact_addresses, $2)
    ON CONFLICT (owner_id, address, channel) DO UPDATE SET
        reply_address = excluded.reply_address,
        opted_out_at = excluded.opted_out_at,
        opt_out_evidence = excluded.opt_out_evidence
), kept_conversations AS (
    INSERT INTO conversations SELECT * FROM jsonb_populate_recordset(NULL::conversations, $3)
    ON CONFLICT (owner_id, conv_id) DO UPDATE SET
        status = excluded.status,
        context = excluded.context,
        last_seq = excluded.last_seq,
        last_activity_at = excluded.last_activity_at,
        last_inbound_at = excluded.last_inbound_at,
        expires_at = excluded.expires_at,
        waiting_since = excluded.waiting_since,
        idle_at = excluded.idle_at,
        closed_at = excluded.closed_at,
        closed_by = excluded.closed_by,
        closed_by_id = excluded.closed_by_id,
        closed_reason = excluded.closed_reason,
        status_before_close = excluded.status_before_close,
        updated_at = excluded.updated_at
), kept_messages AS (
    INSERT INTO messages SELECT * FROM jsonb_populate_recordset(NULL::messages, $4)
), kept_media AS (
    INSERT INTO media (owner_id, msg_id, position, provider_url, content_type)
    SELECT owner_id, msg_id, position, provider_url, content_type
    FROM jsonb_populate_recordset(NULL::media, $5)
    RETURNING media_id
), kept_events AS (
    INSERT INTO events (owner_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data)
    SELECT owner_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data
    FROM jsonb_populate_recordset(NULL::events, $6)
), kept_consents AS (
    INSERT INTO contact_consents
        (owner_id, contact_id, channel, address, change, source, evidence, actor_kind, actor_id, created_at)
    SELECT owner_id, contact_id, channel, address, change, source, evidence, actor_kind, actor_id, created_at
    FROM jsonb_populate_recordset(NULL::contact_consents, $7)
), kept_words AS (
    INSERT INTO contact_words SELECT * FROM jsonb_populate_recordset(NULL::contact_words, $8)
)
SELECT media_id FROM kept_media
