DROP TABLE api_keys, features, users, owners;
