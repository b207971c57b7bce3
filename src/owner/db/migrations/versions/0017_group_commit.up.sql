SET LOCAL lock_timeout = '5s';

-- Messages that arrive together are stored together, whoever's they are. Both functions run with the rights of their
-- caller, whom row level security binds: they set `app.owner_id` to one owner after the other, and every statement
-- between two settings sees and writes that owner's rows only. Rows that come in carry no owner of their own: they lie
-- in the part of the owner whom the setting names. At the end the setting is what it was before.
-- Their statements are planned once for each connection; whether a plan for the very values were better is not worth
-- planning anew for each owner.

CREATE TYPE inbound_conversation AS (
    conv_id bigint,
    status text,
    channel text,
    contact_id bigint,
    customer_address text,
    our_address text,
    twilio_account_id bigint,
    handler text,
    assignee_id bigint,
    priority text,
    context jsonb,
    last_seq bigint,
    started_at timestamptz,
    last_activity_at timestamptz,
    last_inbound_at timestamptz,
    first_response_at timestamptz,
    expires_at timestamptz,
    waiting_since timestamptz,
    idle_at timestamptz,
    idle_after interval,
    reopen_grace interval,
    closed_at timestamptz,
    closed_by text,
    closed_by_id bigint,
    closed_reason text,
    status_before_close text,
    previous_conv_id bigint,
    created_at timestamptz,
    updated_at timestamptz
);

CREATE TYPE inbound_known AS (
    place integer,
    is_busy boolean,
    duplicate_of bigint,
    contact_id bigint,
    is_this_channel boolean,
    reply_address text,
    opted_out_at timestamptz,
    opt_out_evidence jsonb,
    known_since timestamptz,
    blocked_at timestamptz,
    may_be_suppressed boolean,
    new_contact_id bigint,
    new_conv_id bigint,
    new_msg_id bigint,
    goodbye_msg_id bigint,
    said_by text[],
    said text[],
    conversation inbound_conversation
);

-- Everything that the decisions about some messages need. `place` is a message's place in the lists, which are sorted
-- by owner so that the setting changes as seldom as can be. A message whose customer somebody else is at work on is
-- busy: it is tried again later, so nobody here waits for a lock while holding others, and no owner for another.
CREATE FUNCTION load_inbound(
    owner_ids bigint[],
    customer_locks bigint[],
    addresses text[],
    channels text[],
    our_addresses text[],
    provider_sids text[],
    may_say_goodbye boolean[],
    moment timestamptz,
    turns integer
) RETURNS SETOF inbound_known
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    former CONSTANT text := current_setting('app.owner_id', true);
    nothing CONSTANT public.inbound_known := NULL;
    known public.inbound_known;
    found_conv_id bigint;
    suppresses boolean;
    setting text;
BEGIN
    FOR i IN 1 .. cardinality(owner_ids) LOOP
        IF i = 1 OR owner_ids[i] <> owner_ids[i - 1] THEN
            setting := set_config('app.owner_id', owner_ids[i]::text, true);
            suppresses := NULL;
        END IF;
        known := nothing;
        known.place := i;
        known.is_busy := NOT pg_try_advisory_xact_lock(customer_locks[i]);
        IF known.is_busy THEN
            RETURN NEXT known;
            CONTINUE;
        END IF;

        -- Whether the message is here, who wrote it, and what is open. A person who wrote by SMS is found when they
        -- come by WhatsApp.
        SELECT (SELECT msg_id FROM public.messages WHERE provider_sid = provider_sids[i]),
               (SELECT conv_id FROM public.conversations
                WHERE channel = channels[i] AND customer_address = addresses[i] AND our_address = our_addresses[i]
                  AND status IN ('PENDING', 'PROGRESS')),
               way.*
            INTO known.duplicate_of, found_conv_id, known.contact_id, known.is_this_channel, known.reply_address,
                 known.opted_out_at, known.opt_out_evidence, known.known_since, known.blocked_at
            FROM (SELECT) AS one_row LEFT JOIN LATERAL (
                SELECT contact_id, contact_addresses.channel = channels[i], reply_address, opted_out_at,
                       opt_out_evidence, contact_addresses.created_at, blocked_at
                FROM public.contact_addresses JOIN public.contacts USING (owner_id, contact_id)
                WHERE address = addresses[i]
                ORDER BY contact_addresses.channel = channels[i] DESC, contact_addresses.created_at LIMIT 1
            ) AS way ON true;
        IF known.duplicate_of IS NOT NULL THEN
            RETURN NEXT known;
            CONTINUE;
        END IF;
        -- Where nothing is open, the latest that there was.
        IF found_conv_id IS NULL AND known.contact_id IS NOT NULL THEN
            SELECT conv_id INTO found_conv_id FROM public.conversations
                WHERE contact_id = known.contact_id AND channel = channels[i] AND our_address = our_addresses[i]
                  AND customer_address = addresses[i]
                ORDER BY conv_id DESC LIMIT 1;
        END IF;
        IF found_conv_id IS NOT NULL THEN
            SELECT ROW(conv_id, status, channel, contact_id, customer_address, our_address, twilio_account_id, handler,
                       assignee_id, priority, context, last_seq, started_at, last_activity_at, last_inbound_at,
                       first_response_at, expires_at, waiting_since, idle_at, idle_after, reopen_grace, closed_at,
                       closed_by, closed_by_id, closed_reason, status_before_close, previous_conv_id, created_at,
                       updated_at),
                   said_by, said
                INTO known.conversation, known.said_by, known.said
                FROM public.conversations AS found, LATERAL (
                    SELECT array_agg(direction) AS said_by, array_agg(content) AS said
                    FROM (SELECT direction, content FROM public.messages
                          WHERE conv_id = found_conv_id ORDER BY seq DESC LIMIT turns) AS latest_first
                ) AS history
                WHERE conv_id = found_conv_id FOR UPDATE OF found SKIP LOCKED;
            IF NOT FOUND THEN
                known.is_busy := true;
                RETURN NEXT known;
                CONTINUE;
            END IF;
        END IF;

        -- Ids for what may be new.
        known.new_msg_id := nextval('public.messages_msg_id_seq');
        IF may_say_goodbye[i] THEN
            known.goodbye_msg_id := nextval('public.messages_msg_id_seq');
        END IF;
        IF known.contact_id IS NULL THEN
            known.new_contact_id := nextval('public.contacts_contact_id_seq');
        END IF;
        IF found_conv_id IS NULL OR (known.conversation).status NOT IN ('PENDING', 'PROGRESS')
            OR (known.conversation).expires_at <= moment OR (known.conversation).idle_at <= moment THEN
            known.new_conv_id := nextval('public.conversations_conv_id_seq');
        END IF;
        IF known.is_this_channel IS NOT TRUE THEN
            suppresses := COALESCE(suppresses, EXISTS (SELECT FROM public.suppression_keys));
            known.may_be_suppressed := suppresses;
        END IF;
        RETURN NEXT known;
    END LOOP;
    setting := set_config('app.owner_id', COALESCE(former, ''), true);
END $$;

CREATE TYPE inbound_contact AS (contact_id bigint, name text, name_key text, words text[]);
CREATE TYPE inbound_address AS (
    address text,
    channel text,
    reply_address text,
    contact_id bigint,
    opted_out_at timestamptz,
    opt_out_evidence jsonb,
    created_at timestamptz
);
-- A conversation that begins with the message: `moment` is when.
CREATE TYPE inbound_opened AS (
    conv_id bigint,
    status text,
    channel text,
    contact_id bigint,
    customer_address text,
    our_address text,
    twilio_account_id bigint,
    context jsonb,
    last_seq bigint,
    last_inbound_at timestamptz,
    expires_at timestamptz,
    waiting_since timestamptz,
    idle_after interval,
    reopen_grace interval,
    closed_at timestamptz,
    closed_by text,
    closed_reason text,
    status_before_close text,
    previous_conv_id bigint
);
CREATE TYPE inbound_changed AS (
    conv_id bigint,
    status text,
    context jsonb,
    last_seq bigint,
    last_activity_at timestamptz,
    last_inbound_at timestamptz,
    expires_at timestamptz,
    waiting_since timestamptz,
    idle_at timestamptz,
    closed_at timestamptz,
    closed_by text,
    closed_by_id bigint,
    closed_reason text,
    status_before_close text
);
CREATE TYPE inbound_message AS (
    msg_id bigint,
    conv_id bigint,
    seq bigint,
    direction text,
    message_owner text,
    message_type text,
    content text,
    provider_sid text,
    delivery_status text,
    metadata jsonb,
    is_after_closure boolean
);
CREATE TYPE inbound_file AS (msg_id bigint, "position" integer, provider_url text, content_type text);
CREATE TYPE inbound_event AS (
    type text,
    actor_kind text,
    actor_id bigint,
    conv_id bigint,
    msg_id bigint,
    contact_id bigint,
    data jsonb
);
CREATE TYPE inbound_consent AS (
    contact_id bigint,
    channel text,
    address text,
    change text,
    source text,
    evidence jsonb,
    actor_kind text,
    actor_id bigint
);
CREATE TYPE inbound_part AS (
    owner_id bigint,
    contacts inbound_contact[],
    addresses inbound_address[],
    changed inbound_changed[],
    opened inbound_opened[],
    messages inbound_message[],
    files inbound_file[],
    events inbound_event[],
    consents inbound_consent[]
);

-- Everything that the decisions changed, each owner's part under that owner's setting. Returns the files that are to be
-- fetched. `changed` comes before `opened`, because a conversation that ends makes room for the next.
CREATE FUNCTION store_inbound(parts inbound_part[], moment timestamptz)
    RETURNS TABLE (owner_id bigint, media_id bigint)
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    former CONSTANT text := current_setting('app.owner_id', true);
    part public.inbound_part;
    this bigint;
    touched integer;
    setting text;
BEGIN
    FOREACH part IN ARRAY parts LOOP
        this := part.owner_id;
        setting := set_config('app.owner_id', this::text, true);
        IF part.contacts <> '{}' THEN
            INSERT INTO public.contacts (owner_id, contact_id, name, name_key, created_at, updated_at)
                SELECT this, contact_id, name, name_key, moment, moment FROM unnest(part.contacts);
            INSERT INTO public.contact_words (owner_id, word, contact_id)
                SELECT this, word, contact_id FROM unnest(part.contacts), unnest(words) AS word;
        END IF;
        IF part.addresses <> '{}' THEN
            INSERT INTO public.contact_addresses
                (owner_id, address, channel, reply_address, contact_id, opted_out_at, opt_out_evidence, created_at)
                SELECT this, address, channel, reply_address, contact_id, opted_out_at, opt_out_evidence, created_at
                FROM unnest(part.addresses)
                ON CONFLICT (owner_id, address, channel) DO UPDATE SET
                    reply_address = excluded.reply_address,
                    opted_out_at = excluded.opted_out_at,
                    opt_out_evidence = excluded.opt_out_evidence;
        END IF;
        IF part.changed <> '{}' THEN
            UPDATE public.conversations AS kept SET
                status = new.status,
                context = new.context,
                last_seq = new.last_seq,
                last_activity_at = new.last_activity_at,
                last_inbound_at = new.last_inbound_at,
                expires_at = new.expires_at,
                waiting_since = new.waiting_since,
                idle_at = new.idle_at,
                closed_at = new.closed_at,
                closed_by = new.closed_by,
                closed_by_id = new.closed_by_id,
                closed_reason = new.closed_reason,
                status_before_close = new.status_before_close,
                updated_at = moment
            FROM unnest(part.changed) AS new
            WHERE kept.conv_id = new.conv_id;
            GET DIAGNOSTICS touched = ROW_COUNT;
            IF touched <> cardinality(part.changed) THEN
                RAISE EXCEPTION 'a conversation that changed is not there for owner %', this;
            END IF;
        END IF;
        IF part.opened <> '{}' THEN
            INSERT INTO public.conversations
                (owner_id, conv_id, status, channel, contact_id, customer_address, our_address, twilio_account_id, context,
                 last_seq, last_inbound_at, expires_at, waiting_since, idle_after, reopen_grace, closed_at, closed_by,
                 closed_reason, status_before_close, previous_conv_id, started_at, last_activity_at, created_at, updated_at)
                SELECT this, conv_id, status, channel, contact_id, customer_address, our_address, twilio_account_id, context,
                 last_seq, last_inbound_at, expires_at, waiting_since, idle_after, reopen_grace, closed_at, closed_by,
                 closed_reason, status_before_close, previous_conv_id, moment, moment, moment, moment
                FROM unnest(part.opened);
        END IF;
        INSERT INTO public.messages
            (owner_id, msg_id, conv_id, seq, direction, message_owner, message_type, content, provider_sid,
             delivery_status, metadata, is_after_closure, created_at, updated_at)
            SELECT this, msg_id, conv_id, seq, direction, message_owner, message_type, content, provider_sid,
             delivery_status, metadata, is_after_closure, moment, moment
            FROM unnest(part.messages);
        IF part.files <> '{}' THEN
            RETURN QUERY
                INSERT INTO public.media (owner_id, msg_id, position, provider_url, content_type)
                SELECT this, msg_id, position, provider_url, content_type FROM unnest(part.files)
                RETURNING owner_id, media_id;
        END IF;
        INSERT INTO public.events (owner_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data)
            SELECT this, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data FROM unnest(part.events);
        IF part.consents <> '{}' THEN
            INSERT INTO public.contact_consents
                (owner_id, contact_id, channel, address, change, source, evidence, actor_kind, actor_id, created_at)
                SELECT this, contact_id, channel, address, change, source, evidence, actor_kind, actor_id, moment
                FROM unnest(part.consents);
        END IF;
    END LOOP;
    setting := set_config('app.owner_id', COALESCE(former, ''), true);
END $$;

REVOKE EXECUTE ON FUNCTION load_inbound, store_inbound FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_inbound, store_inbound TO owner_app;

-- A conversation's owner is there because its contact is.
ALTER TABLE conversations DROP CONSTRAINT conversations_owner_id_fkey;
