SET LOCAL lock_timeout = '5s';

DROP FUNCTION platform_key_add, platform_key_use, platform_key_list, platform_key_revoke, platform_owner_list,
    platform_answer_find, platform_answer_put, platform_answer_list, platform_answer_replace;
DROP POLICY platform ON owners;
REVOKE ALL ON owners FROM owner_platform;
DROP TABLE platform_idempotency_keys, platform_keys;
DROP FUNCTION directory_users_by_email, directory_session, directory_one_time_link;
DROP POLICY directory ON users;
REVOKE ALL ON users FROM owner_directory;
DROP TABLE recovery_codes, one_time_links, sessions;
DROP TRIGGER hash_email ON users;
DROP FUNCTION hash_email;
-- No password has this hash, so whoever was invited still can't sign in.
UPDATE users SET password_hash = '' WHERE password_hash IS NULL;
ALTER TABLE users
    ALTER COLUMN password_hash SET NOT NULL,
    DROP COLUMN email_hash,
    DROP COLUMN totp_secret_encrypted,
    DROP COLUMN totp_confirmed_at,
    DROP COLUMN totp_last_step;
