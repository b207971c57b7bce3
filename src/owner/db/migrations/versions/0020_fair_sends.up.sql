SET LOCAL lock_timeout = '5s';

-- Since when the account's calls go unanswered, so that its messages wait.
ALTER TABLE twilio_accounts ADD COLUMN degraded_at timestamptz;

GRANT SELECT (twilio_account_id, our_address) ON conversations TO owner_directory;
GRANT CREATE ON SCHEMA public TO owner_directory;

-- Conversations whose first unsent message may be sent now: some of each sender, so that no owner's thousands hide
-- another's one. The recursion jumps from owner to owner that something waits for; the others cost nothing.
CREATE FUNCTION directory_due_sends(moment timestamptz, resting_accounts bigint[], of_sender integer, at_most integer)
    RETURNS TABLE (owner_id bigint, conv_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    WITH RECURSIVE waiting AS (
        (SELECT unsent.owner_id FROM public.messages AS unsent
         WHERE unsent.delivery_status = 'QUEUED' AND unsent.provider_sid IS NULL AND unsent.direction = 'OUTBOUND'
         ORDER BY unsent.owner_id LIMIT 1)
        UNION ALL
        SELECT (SELECT unsent.owner_id FROM public.messages AS unsent
                WHERE unsent.delivery_status = 'QUEUED' AND unsent.provider_sid IS NULL
                  AND unsent.direction = 'OUTBOUND' AND unsent.owner_id > waiting.owner_id
                ORDER BY unsent.owner_id LIMIT 1)
        FROM waiting WHERE waiting.owner_id IS NOT NULL
    )
    SELECT waiting.owner_id, due.conv_id
    FROM waiting CROSS JOIN LATERAL (
        SELECT head.conv_id,
            row_number() OVER (
                PARTITION BY conversation.twilio_account_id, conversation.our_address ORDER BY head.created_at
            ) AS place
        FROM (
            SELECT DISTINCT ON (unsent.conv_id)
                unsent.conv_id, unsent.created_at, unsent.claimed_until, unsent.next_attempt_at
            FROM public.messages AS unsent
            WHERE unsent.owner_id = waiting.owner_id
              AND unsent.delivery_status = 'QUEUED' AND unsent.provider_sid IS NULL AND unsent.direction = 'OUTBOUND'
            ORDER BY unsent.conv_id, unsent.seq
        ) AS head
        JOIN public.conversations AS conversation
            ON conversation.owner_id = waiting.owner_id AND conversation.conv_id = head.conv_id
        WHERE (head.claimed_until IS NULL OR head.claimed_until <= moment)
          AND (head.next_attempt_at IS NULL OR head.next_attempt_at <= moment)
          AND NOT conversation.twilio_account_id = ANY (resting_accounts)
        LIMIT 2000
    ) AS due
    WHERE due.place <= of_sender
    ORDER BY due.place LIMIT at_most
$$;

-- How many conversations wait to be sent to although nobody has them in hand, and since when the first does.
CREATE FUNCTION directory_send_lag(moment timestamptz, OUT waiting bigint, OUT since timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    SELECT count(DISTINCT (unsent.owner_id, unsent.conv_id)), min(GREATEST(unsent.created_at, unsent.next_attempt_at))
    FROM public.messages AS unsent
    WHERE unsent.delivery_status = 'QUEUED' AND unsent.provider_sid IS NULL AND unsent.direction = 'OUTBOUND'
      AND (unsent.claimed_until IS NULL OR unsent.claimed_until <= moment)
      AND (unsent.next_attempt_at IS NULL OR unsent.next_attempt_at <= moment)
$$;

ALTER FUNCTION directory_due_sends OWNER TO owner_directory;
ALTER FUNCTION directory_send_lag OWNER TO owner_directory;
REVOKE EXECUTE ON FUNCTION directory_due_sends, directory_send_lag FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory_due_sends, directory_send_lag TO owner_app;
REVOKE CREATE ON SCHEMA public FROM owner_directory;
