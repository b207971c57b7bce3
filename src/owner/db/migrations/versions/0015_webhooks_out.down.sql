SET LOCAL lock_timeout = '5s';

DROP FUNCTION directory_due_webhook_endpoints;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_sequences;
DROP TABLE webhook_endpoints;
REVOKE SELECT ON SEQUENCE events_event_id_seq FROM owner_app;
