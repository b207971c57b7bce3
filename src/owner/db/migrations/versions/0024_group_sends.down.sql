SET LOCAL lock_timeout = '5s';

DROP FUNCTION store_outbox;
DROP FUNCTION load_outbox;
DROP TYPE outbox_part;
DROP TYPE outbox_changed;
DROP TYPE outbox_line;
DROP TYPE outbox_account;
DROP TYPE outbox_message;
