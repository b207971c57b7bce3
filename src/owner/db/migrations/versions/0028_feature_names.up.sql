SET LOCAL lock_timeout = '5s';

UPDATE features SET name = 'AI Chat Assistant' WHERE name = 'ai_chat_assistant';
UPDATE features SET name = 'Closure NLP' WHERE name = 'closure_nlp';

-- Idleness ends a conversation `idle_after` from its last activity. The application writes both moments; who mends one
-- by hand has the other follow.
CREATE FUNCTION idle_with_activity() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public
AS $$
BEGIN
    NEW.idle_at := NEW.last_activity_at + NEW.idle_after;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION idle_with_activity FROM PUBLIC;
CREATE TRIGGER idle_with_activity BEFORE UPDATE OF last_activity_at, idle_after ON conversations
    FOR EACH ROW WHEN (
        NEW.idle_at = OLD.idle_at
        AND (NEW.last_activity_at IS DISTINCT FROM OLD.last_activity_at OR NEW.idle_after IS DISTINCT FROM OLD.idle_after)
    ) EXECUTE FUNCTION idle_with_activity();
