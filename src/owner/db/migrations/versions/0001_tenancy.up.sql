SET LOCAL lock_timeout = '5s';

-- Roles belong to the whole cluster: another database, or another migration at this very moment,
-- may have made them already.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['owner_app', 'owner_directory', 'owner_platform'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    -- Functions are handed to these two, which takes membership.
    FOREACH role_name IN ARRAY ARRAY['owner_directory', 'owner_platform'] LOOP
        IF NOT pg_has_role(current_user, role_name, 'USAGE') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', role_name);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO owner_app, owner_directory, owner_platform;

-- Every tenant table is made one by this: row level security on, and forced on its owner too;
-- the application sees one tenant's rows, the migration role all of them.
CREATE PROCEDURE make_tenant_table(tenant_table regclass)
    LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
        'CREATE POLICY tenant ON %s FOR ALL TO owner_app
             USING (owner_id = (SELECT NULLIF(current_setting(''app.owner_id'', true), '''')::bigint))
             WITH CHECK (owner_id = (SELECT NULLIF(current_setting(''app.owner_id'', true), '''')::bigint))',
        tenant_table
    );
    EXECUTE format('CREATE POLICY migration ON %s TO CURRENT_USER USING (true) WITH CHECK (true)', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO owner_app', tenant_table);
END $$;
REVOKE EXECUTE ON PROCEDURE make_tenant_table FROM PUBLIC;
