-- family --
-- A person: the contact, and all that were merged into it.
-- $1 contact
WITH RECURSIVE person AS (
    SELECT contact_id FROM contacts WHERE contact_id = $1
    UNION
    SELECT merged.contact_id FROM contacts AS merged JOIN person ON merged.merged_into_id = person.contact_id
)
SELECT contact_id FROM person ORDER BY contact_id

-- messages --
-- What was said is gone; when, by whom and how far it got stays.
-- $1 contacts
UPDATE messages SET
    content = '',
    media_urls = '{}',
    content_variables = NULL,
    error_message = CASE WHEN error_message = 'the contact was erased' THEN error_message END,
    metadata = jsonb_strip_nulls(jsonb_build_object('conflicting_status', metadata->'conflicting_status'))
WHERE conv_id IN (SELECT conv_id FROM conversations WHERE contact_id = ANY ($1))

-- message_search --
-- $1 contacts
DELETE FROM message_search WHERE conv_id IN (SELECT conv_id FROM conversations WHERE contact_id = ANY ($1))

-- media --
-- The bytes are deleted after the commit; from here on nobody is shown them or fetches them.
-- $1 contacts, $2 now
UPDATE media SET status = 'ERASED', provider_url = '', error = NULL, sha256 = NULL, updated_at = $2
WHERE msg_id IN (
    SELECT msg_id FROM messages JOIN conversations USING (owner_id, conv_id) WHERE contact_id = ANY ($1)
)

-- ai_results --
-- $1 contacts
UPDATE ai_results SET result_json = '{}'
WHERE msg_id IN (
    SELECT msg_id FROM messages JOIN conversations USING (owner_id, conv_id) WHERE contact_id = ANY ($1)
)

-- notes --
-- That somebody noted something stays; what it was may be about the person.
-- $1 contacts
UPDATE notes SET content = ''
WHERE conv_id IN (SELECT conv_id FROM conversations WHERE contact_id = ANY ($1))

-- conversations --
-- The reason stays where a machine gave it; a person's may hold anything.
-- $1 contacts
UPDATE conversations SET
    customer_address = 'erased:' || contact_id,
    context = '{}',
    closed_reason = CASE WHEN closed_by IN ('DETECTOR', 'TIMER', 'SYSTEM')
        OR closed_reason IN ('the contact was erased', 'the contact is blocked') THEN closed_reason END
WHERE contact_id = ANY ($1)

-- consents --
-- $1 contacts
UPDATE contact_consents SET address = 'erased:' || contact_id, evidence = '{}' WHERE contact_id = ANY ($1)

-- merges --
-- $1 contacts
UPDATE contact_merges SET moved_addresses = '[]', taken = '{}'
WHERE survivor_id = ANY ($1) OR merged_id = ANY ($1)

-- words --
-- $1 contacts
DELETE FROM contact_words WHERE contact_id = ANY ($1)

-- addresses --
-- $1 contacts
DELETE FROM contact_addresses WHERE contact_id = ANY ($1)

-- contacts --
-- $1 contacts, $2 now
UPDATE contacts SET
    name = NULL, name_key = NULL, language = NULL, attributes = '{}', blocked_reason = NULL,
    erased_at = $2, updated_at = $2
WHERE contact_id = ANY ($1)

-- counts --
-- $1 contact
SELECT
    (SELECT count(*) FROM conversations WHERE contact_id = $1) AS conversations,
    (SELECT count(*) FROM messages JOIN conversations USING (owner_id, conv_id) WHERE contact_id = $1) AS messages,
    (SELECT count(*) FROM media JOIN messages USING (owner_id, msg_id) JOIN conversations USING (owner_id, conv_id)
     WHERE contact_id = $1) AS files

-- files --
-- $1 contact, $2 the last one that was read, $3 how many
SELECT media_id FROM media JOIN messages USING (owner_id, msg_id) JOIN conversations USING (owner_id, conv_id)
WHERE contact_id = $1 AND media.media_id > $2 ORDER BY media_id LIMIT $3

-- events_of_conversation --
-- $1 conversation, $2 the last one that was read, $3 how many
SELECT event_id, created_at, data FROM events
WHERE conv_id = $1 AND event_id > $2 ORDER BY event_id LIMIT $3

-- events_of_contact --
-- $1 contact, $2 the last one that was read, $3 how many
SELECT event_id, created_at, data FROM events
WHERE contact_id = $1 AND conv_id IS NULL AND event_id > $2 ORDER BY event_id LIMIT $3

-- bare_event_of_conversation --
-- $1 conversation, $2 event, $3 when it happened, $4 what stays of it
UPDATE events SET data = $4 WHERE conv_id = $1 AND event_id = $2 AND created_at = $3

-- bare_event_of_contact --
-- $1 contact, $2 event, $3 when it happened, $4 what stays of it
UPDATE events SET data = $4 WHERE contact_id = $1 AND conv_id IS NULL AND event_id = $2 AND created_at = $3

-- deliveries_of_conversation --
-- $1 conversation, $2 the last one that was read, $3 how many
SELECT delivery_id, created_at, payload, attempt_log FROM webhook_deliveries
WHERE conv_id = $1 AND delivery_id > $2 ORDER BY delivery_id LIMIT $3

-- deliveries_of_contact --
-- $1 contact, $2 the last one that was read, $3 how many
SELECT delivery_id, created_at, payload, attempt_log FROM webhook_deliveries
WHERE conv_id IS NULL AND event_id IN (SELECT event_id FROM events WHERE contact_id = $1 AND conv_id IS NULL)
  AND delivery_id > $2 ORDER BY delivery_id LIMIT $3

-- bare_delivery --
-- $1 delivery, $2 when its event happened, $3 what is still to be sent, $4 the log without answers
UPDATE webhook_deliveries SET payload = $3, attempt_log = $4 WHERE delivery_id = $1 AND created_at = $2
