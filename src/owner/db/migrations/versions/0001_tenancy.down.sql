-- The roles stay: they belong to the cluster, and other databases may use them.
DROP PROCEDURE make_tenant_table;
REVOKE USAGE ON SCHEMA public FROM owner_app, owner_directory, owner_platform;
