SET LOCAL lock_timeout = '5s';

UPDATE features SET name = 'AI Chat Assistant' WHERE name = 'ai_chat_assistant';
UPDATE features SET name = 'Closure NLP' WHERE name = 'closure_nlp';
