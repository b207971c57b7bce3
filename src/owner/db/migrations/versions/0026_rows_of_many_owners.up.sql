SET LOCAL lock_timeout = '5s';

-- Whose a new row may be is asked for each row, not once for a statement. So one statement can put in rows of many
-- owners, each under its own owner's setting: a setting that is another's, or that changes too early, is refused.
-- What a statement may see is asked once as before, so that an index is reached by it.
CREATE OR REPLACE PROCEDURE make_tenant_table(tenant_table regclass)
    LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
        'CREATE POLICY tenant ON %s FOR ALL TO owner_app
             USING (owner_id = (SELECT NULLIF(current_setting(''app.owner_id'', true), '''')::bigint))
             WITH CHECK (owner_id = NULLIF(current_setting(''app.owner_id'', true), '''')::bigint)',
        tenant_table
    );
    EXECUTE format('CREATE POLICY migration ON %s TO CURRENT_USER USING (true) WITH CHECK (true)', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO owner_app', tenant_table);
END $$;

DO $$
DECLARE
    tenant_table regclass;
BEGIN
    FOR tenant_table IN
        SELECT polrelid FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
        WHERE polname = 'tenant' AND relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format(
            'ALTER POLICY tenant ON %s
                 WITH CHECK (owner_id = NULLIF(current_setting(''app.owner_id'', true), '''')::bigint)',
            tenant_table
        );
    END LOOP;
END $$;

CREATE TYPE arrived_contact AS (owner_id bigint, contact_id bigint, name text, name_key text, words text[]);
CREATE TYPE arrived_address AS (
    owner_id bigint,
    address text,
    channel text,
    reply_address text,
    contact_id bigint,
    opted_out_at timestamptz,
    opt_out_evidence jsonb,
    created_at timestamptz
);
-- A conversation that begins with the message: `moment` is when.
CREATE TYPE arrived_opened AS (
    owner_id bigint,
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
CREATE TYPE arrived_changed AS (
    owner_id bigint,
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
CREATE TYPE arrived_message AS (
    owner_id bigint,
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
CREATE TYPE arrived_file AS (
    owner_id bigint,
    msg_id bigint,
    "position" integer,
    provider_url text,
    content_type text
);
CREATE TYPE arrived_event AS (
    owner_id bigint,
    type text,
    actor_kind text,
    actor_id bigint,
    conv_id bigint,
    msg_id bigint,
    contact_id bigint,
    data jsonb
);
CREATE TYPE arrived_consent AS (
    owner_id bigint,
    contact_id bigint,
    channel text,
    address text,
    change text,
    source text,
    evidence jsonb,
    actor_kind text,
    actor_id bigint
);

-- Takes the place of `store_inbound`, which set one owner after the other and ran a handful of statements for each;
-- that one is left to programs of before, until a later migration. The rights are the caller's here too. In each list
-- the owner of a row is what the setting is made to be for it, in the very expression that gives the column its value.
-- Returns the files that are to be fetched. `changed` comes before `opened`, because a conversation that ends makes
-- room for the next.
CREATE FUNCTION store_arrivals(
    contacts arrived_contact[],
    addresses arrived_address[],
    changed_addresses arrived_address[],
    changed arrived_changed[],
    opened arrived_opened[],
    messages arrived_message[],
    files arrived_file[],
    events arrived_event[],
    consents arrived_consent[],
    moment timestamptz
) RETURNS TABLE (owner_id bigint, media_id bigint)
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    former CONSTANT text := current_setting('app.owner_id', true);
    known_address public.arrived_address;
    conversation public.arrived_changed;
    setting text;
BEGIN
    IF contacts <> '{}' THEN
        INSERT INTO public.contacts (owner_id, contact_id, name, name_key, created_at, updated_at)
            SELECT set_config('app.owner_id', owner_id::text, true)::bigint, contact_id, name, name_key, moment, moment
            FROM unnest(contacts);
        INSERT INTO public.contact_words (owner_id, word, contact_id)
            SELECT set_config('app.owner_id', owner_id::text, true)::bigint, word, contact_id
            FROM unnest(contacts), unnest(words) AS word;
    END IF;
    IF addresses <> '{}' THEN
        INSERT INTO public.contact_addresses
            (owner_id, address, channel, reply_address, contact_id, opted_out_at, opt_out_evidence, created_at)
            SELECT set_config('app.owner_id', owner_id::text, true)::bigint, address, channel, reply_address,
                contact_id, opted_out_at, opt_out_evidence, created_at
            FROM unnest(addresses);
    END IF;
    FOREACH known_address IN ARRAY changed_addresses LOOP
        setting := set_config('app.owner_id', known_address.owner_id::text, true);
        UPDATE public.contact_addresses SET
            reply_address = known_address.reply_address,
            opted_out_at = known_address.opted_out_at,
            opt_out_evidence = known_address.opt_out_evidence
        WHERE address = known_address.address AND channel = known_address.channel;
    END LOOP;
    FOREACH conversation IN ARRAY changed LOOP
        setting := set_config('app.owner_id', conversation.owner_id::text, true);
        UPDATE public.conversations SET
            status = conversation.status,
            context = conversation.context,
            last_seq = conversation.last_seq,
            last_activity_at = conversation.last_activity_at,
            last_inbound_at = conversation.last_inbound_at,
            expires_at = conversation.expires_at,
            waiting_since = conversation.waiting_since,
            idle_at = conversation.idle_at,
            closed_at = conversation.closed_at,
            closed_by = conversation.closed_by,
            closed_by_id = conversation.closed_by_id,
            closed_reason = conversation.closed_reason,
            status_before_close = conversation.status_before_close,
            updated_at = moment
        WHERE conv_id = conversation.conv_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a conversation that changed is not there for owner %', conversation.owner_id;
        END IF;
    END LOOP;
    IF opened <> '{}' THEN
        INSERT INTO public.conversations
            (owner_id, conv_id, status, channel, contact_id, customer_address, our_address, twilio_account_id, context,
             last_seq, last_inbound_at, expires_at, waiting_since, idle_after, reopen_grace, closed_at, closed_by,
             closed_reason, status_before_close, previous_conv_id, started_at, last_activity_at, created_at, updated_at)
            SELECT set_config('app.owner_id', owner_id::text, true)::bigint, conv_id, status, channel, contact_id,
                customer_address, our_address, twilio_account_id, context, last_seq, last_inbound_at, expires_at,
                waiting_since, idle_after, reopen_grace, closed_at, closed_by, closed_reason, status_before_close,
                previous_conv_id, moment, moment, moment, moment
            FROM unnest(opened);
    END IF;
    INSERT INTO public.messages
        (owner_id, msg_id, conv_id, seq, direction, message_owner, message_type, content, provider_sid,
         delivery_status, metadata, is_after_closure, created_at, updated_at)
        SELECT set_config('app.owner_id', owner_id::text, true)::bigint, msg_id, conv_id, seq, direction,
            message_owner, message_type, content, provider_sid, delivery_status, metadata, is_after_closure, moment,
            moment
        FROM unnest(messages);
    IF files <> '{}' THEN
        RETURN QUERY
            INSERT INTO public.media (owner_id, msg_id, position, provider_url, content_type)
            SELECT set_config('app.owner_id', owner_id::text, true)::bigint, msg_id, position, provider_url,
                content_type
            FROM unnest(files)
            RETURNING owner_id, media_id;
    END IF;
    INSERT INTO public.events (owner_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data)
        SELECT set_config('app.owner_id', owner_id::text, true)::bigint, type, actor_kind, actor_id, conv_id, msg_id,
            contact_id, data
        FROM unnest(events);
    IF consents <> '{}' THEN
        INSERT INTO public.contact_consents
            (owner_id, contact_id, channel, address, change, source, evidence, actor_kind, actor_id, created_at)
            SELECT set_config('app.owner_id', owner_id::text, true)::bigint, contact_id, channel, address, change,
                source, evidence, actor_kind, actor_id, moment
            FROM unnest(consents);
    END IF;
    setting := set_config('app.owner_id', COALESCE(former, ''), true);
END $$;

REVOKE EXECUTE ON FUNCTION store_arrivals FROM PUBLIC;
GRANT EXECUTE ON FUNCTION store_arrivals TO owner_app;
