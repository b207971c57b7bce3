SET LOCAL lock_timeout = '5s';

DROP TABLE fact_zones, fact_days, facts;
DROP FUNCTION advance_identities, quarantine_count_own, quarantine_erase_own;
