SET LOCAL lock_timeout = '5s';

UPDATE features SET name = 'ai_chat_assistant' WHERE name = 'AI Chat Assistant';
UPDATE features SET name = 'closure_nlp' WHERE name = 'Closure NLP';
