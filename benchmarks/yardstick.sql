-- What a message costs at the least: the seed's columns and indexes, no row level security, no foreign keys.
CREATE SCHEMA yardstick;

CREATE TABLE yardstick.conversations (
    owner_id bigint NOT NULL,
    conv_id bigint GENERATED ALWAYS AS IDENTITY,
    status text NOT NULL,
    channel text NOT NULL,
    customer_address text NOT NULL,
    our_address text NOT NULL,
    context jsonb NOT NULL DEFAULT '{}',
    last_seq bigint NOT NULL DEFAULT 1,
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    closed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idx_conversations_owner_conv PRIMARY KEY (owner_id, conv_id)
);
CREATE UNIQUE INDEX idx_conversations_one_open
    ON yardstick.conversations (owner_id, channel, customer_address, our_address)
    WHERE status IN ('PENDING', 'PROGRESS');
CREATE INDEX idx_conversations_expires ON yardstick.conversations (expires_at)
    WHERE status IN ('PENDING', 'PROGRESS');
CREATE INDEX idx_conversations_updated ON yardstick.conversations (updated_at)
    WHERE status = 'PROGRESS';

CREATE TABLE yardstick.messages (
    owner_id bigint NOT NULL,
    msg_id bigint GENERATED ALWAYS AS IDENTITY,
    conv_id bigint NOT NULL,
    seq bigint NOT NULL,
    direction text NOT NULL,
    message_owner text NOT NULL,
    message_type text NOT NULL,
    content text NOT NULL,
    provider_sid text,
    delivery_status text NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_id, msg_id),
    UNIQUE (owner_id, provider_sid)
);
CREATE UNIQUE INDEX idx_messages_conv_ts ON yardstick.messages (owner_id, conv_id, seq);

CREATE TABLE yardstick.events (
    owner_id bigint NOT NULL,
    event_id bigint GENERATED ALWAYS AS IDENTITY,
    type text NOT NULL,
    conv_id bigint NOT NULL,
    msg_id bigint NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_id, event_id)
);
