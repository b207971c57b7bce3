SET LOCAL lock_timeout = '5s';

-- Messages that are sent at the same time are claimed, and what came of them is noted, in one transaction, whoever's
-- they are. Both functions run with the rights of their caller, whom row level security binds, and set one owner after
-- the other, as `load_inbound` and `store_inbound` do.

CREATE TYPE outbox_message AS (
    msg_id bigint,
    conv_id bigint,
    seq bigint,
    direction text,
    message_owner text,
    message_type text,
    content text,
    provider_sid text,
    delivery_status text,
    error_code integer,
    error_message text,
    media_urls text[],
    content_sid text,
    content_variables jsonb,
    metadata jsonb,
    attempts integer,
    claimed_until timestamptz,
    unconfirmed_at timestamptz,
    next_attempt_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TYPE outbox_account AS (
    twilio_account_id bigint,
    account_sid text,
    auth_token_encrypted bytea,
    webhook_key text,
    messaging_service_sid text,
    paused_at timestamptz,
    degraded_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz
);
CREATE TYPE outbox_line AS (
    place integer,
    is_busy boolean,
    attempted outbox_message,
    next outbox_message,
    account outbox_account,
    channel text,
    customer_address text,
    our_address text,
    reply_address text
);

-- For each conversation the message that was tried, if one was, and the first of the others that wait, with all that it
-- takes to send it; both locked. Those behind wait too, because the customer reads them in order: also where the first
-- is skipped, somebody else having it locked. A conversation whose tried message is locked is busy.
-- `place` is a conversation's place in the lists, which are sorted by owner so that the setting changes as seldom as can
-- be. Nobody here waits for a lock.
CREATE FUNCTION load_outbox(owner_ids bigint[], conv_ids bigint[], attempted_ids bigint[]) RETURNS SETOF outbox_line
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    former CONSTANT text := current_setting('app.owner_id', true);
    nothing CONSTANT public.outbox_line := NULL;
    line public.outbox_line;
    setting text;
BEGIN
    FOR i IN 1 .. cardinality(owner_ids) LOOP
        IF i = 1 OR owner_ids[i] <> owner_ids[i - 1] THEN
            setting := set_config('app.owner_id', owner_ids[i]::text, true);
        END IF;
        line := nothing;
        line.place := i;
        IF attempted_ids[i] IS NOT NULL THEN
            SELECT ROW(msg_id, conv_id, seq, direction, message_owner, message_type, content, provider_sid,
                       delivery_status, error_code, error_message, media_urls, content_sid, content_variables, metadata,
                       attempts, claimed_until, unconfirmed_at, next_attempt_at, created_at, updated_at)
                INTO line.attempted
                FROM public.messages WHERE msg_id = attempted_ids[i] FOR UPDATE SKIP LOCKED;
            line.is_busy := NOT FOUND;
            IF line.is_busy THEN
                RETURN NEXT line;
                CONTINUE;
            END IF;
        END IF;
        SELECT ROW(message.msg_id, message.conv_id, message.seq, message.direction, message.message_owner,
                   message.message_type, message.content, message.provider_sid, message.delivery_status,
                   message.error_code, message.error_message, message.media_urls, message.content_sid,
                   message.content_variables, message.metadata, message.attempts, message.claimed_until,
                   message.unconfirmed_at, message.next_attempt_at, message.created_at, message.updated_at),
               ROW(account.twilio_account_id, account.account_sid, account.auth_token_encrypted, account.webhook_key,
                   account.messaging_service_sid, account.paused_at, account.degraded_at, account.created_at,
                   account.updated_at),
               conversation.channel, conversation.customer_address, conversation.our_address, known.reply_address
            INTO line.next, line.account, line.channel, line.customer_address, line.our_address, line.reply_address
            FROM public.messages AS message
            JOIN public.conversations AS conversation USING (owner_id, conv_id)
            JOIN public.twilio_accounts AS account USING (owner_id, twilio_account_id)
            LEFT JOIN public.contact_addresses AS known
                ON known.owner_id = conversation.owner_id AND known.channel = conversation.channel
                AND known.address = conversation.customer_address
            WHERE message.conv_id = conv_ids[i]
              AND message.msg_id = (
                  SELECT unsent.msg_id FROM public.messages AS unsent
                  WHERE unsent.conv_id = conv_ids[i] AND unsent.delivery_status = 'QUEUED'
                    AND unsent.provider_sid IS NULL AND unsent.direction = 'OUTBOUND'
                    AND unsent.msg_id IS DISTINCT FROM attempted_ids[i]
                  ORDER BY unsent.seq LIMIT 1
              )
              AND message.delivery_status = 'QUEUED' AND message.provider_sid IS NULL
            FOR UPDATE OF message SKIP LOCKED;
        RETURN NEXT line;
    END LOOP;
    setting := set_config('app.owner_id', COALESCE(former, ''), true);
END $$;

CREATE TYPE outbox_changed AS (
    msg_id bigint,
    content text,
    provider_sid text,
    delivery_status text,
    error_code integer,
    error_message text,
    metadata jsonb,
    attempts integer,
    claimed_until timestamptz,
    unconfirmed_at timestamptz,
    next_attempt_at timestamptz,
    updated_at timestamptz
);
CREATE TYPE outbox_part AS (owner_id bigint, changed outbox_changed[], events inbound_event[]);

-- Messages that changed, and what is told of them, each owner's part under that owner's setting.
CREATE FUNCTION store_outbox(parts outbox_part[]) RETURNS void
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    former CONSTANT text := current_setting('app.owner_id', true);
    part public.outbox_part;
    this bigint;
    touched integer;
    setting text;
BEGIN
    FOREACH part IN ARRAY parts LOOP
        this := part.owner_id;
        setting := set_config('app.owner_id', this::text, true);
        UPDATE public.messages AS kept SET
            content = new.content,
            provider_sid = new.provider_sid,
            delivery_status = new.delivery_status,
            error_code = new.error_code,
            error_message = new.error_message,
            metadata = new.metadata,
            attempts = new.attempts,
            claimed_until = new.claimed_until,
            unconfirmed_at = new.unconfirmed_at,
            next_attempt_at = new.next_attempt_at,
            updated_at = new.updated_at
        FROM unnest(part.changed) AS new
        WHERE kept.msg_id = new.msg_id;
        GET DIAGNOSTICS touched = ROW_COUNT;
        IF touched <> cardinality(part.changed) THEN
            RAISE EXCEPTION 'a message that changed is not there for owner %', this;
        END IF;
        IF part.events <> '{}' THEN
            INSERT INTO public.events (owner_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data)
                SELECT this, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data FROM unnest(part.events);
        END IF;
    END LOOP;
    setting := set_config('app.owner_id', COALESCE(former, ''), true);
END $$;

REVOKE EXECUTE ON FUNCTION load_outbox, store_outbox FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_outbox, store_outbox TO owner_app;
