SET LOCAL lock_timeout = '5s';

DROP FUNCTION store_arrivals;
DROP TYPE arrived_consent;
DROP TYPE arrived_event;
DROP TYPE arrived_file;
DROP TYPE arrived_message;
DROP TYPE arrived_changed;
DROP TYPE arrived_opened;
DROP TYPE arrived_address;
DROP TYPE arrived_contact;

DO $$
DECLARE
    tenant_table regclass;
BEGIN
    FOR tenant_table IN
        SELECT polrelid FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
        WHERE polname = 'tenant' AND relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format(
            'ALTER POLICY tenant ON %s
                 WITH CHECK (owner_id = (SELECT NULLIF(current_setting(''app.owner_id'', true), '''')::bigint))',
            tenant_table
        );
    END LOOP;
END $$;

CREATE OR REPLACE PROCEDURE make_tenant_table(tenant_table regclass)
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
