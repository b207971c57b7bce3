SET LOCAL lock_timeout = '5s';

DROP FUNCTION store_inbound;
DROP FUNCTION load_inbound;
DROP TYPE inbound_part;
DROP TYPE inbound_consent;
DROP TYPE inbound_event;
DROP TYPE inbound_file;
DROP TYPE inbound_message;
DROP TYPE inbound_changed;
DROP TYPE inbound_opened;
DROP TYPE inbound_address;
DROP TYPE inbound_contact;
DROP TYPE inbound_known;
DROP TYPE inbound_conversation;
ALTER TABLE conversations ADD CONSTRAINT conversations_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owners;
