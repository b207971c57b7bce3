SET LOCAL lock_timeout = '5s';

DROP TRIGGER IF EXISTS idle_with_activity ON conversations;
DROP FUNCTION IF EXISTS idle_with_activity;

UPDATE features SET name = 'ai_chat_assistant' WHERE name = 'AI Chat Assistant';
UPDATE features SET name = 'closure_nlp' WHERE name = 'Closure NLP';
