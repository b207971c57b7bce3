SET LOCAL lock_timeout = '5s';

DROP FUNCTION prune_strays, drop_oldest_partition, forgotten_before, is_unread, make_partitions_ahead;

CREATE FUNCTION make_partitions_ahead(months integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
DECLARE
    parent regclass;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('make_partitions_ahead'));
    FOR parent IN SELECT oid::regclass FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace LOOP
        FOR ahead IN 0..months LOOP
            PERFORM public.make_month_partition(parent, now() + make_interval(months => ahead));
        END LOOP;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION make_partitions_ahead FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partitions_ahead TO owner_app;

GRANT CREATE ON SCHEMA public TO owner_platform;
CREATE FUNCTION quarantine_prune(older_than interval) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
    WITH gone AS (DELETE FROM public.inbound_quarantine WHERE created_at < now() - older_than RETURNING 1)
    SELECT count(*) FROM gone
$$;
ALTER FUNCTION quarantine_prune OWNER TO owner_platform;
REVOKE EXECUTE ON FUNCTION quarantine_prune FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_prune TO owner_app;
REVOKE CREATE ON SCHEMA public FROM owner_platform;
