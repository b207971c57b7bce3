DROP TABLE ai_results, media, messages, conversations;
