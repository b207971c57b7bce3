SET LOCAL lock_timeout = '5s';

DROP FUNCTION conversation_events;
DROP FUNCTION event_feed_around;
