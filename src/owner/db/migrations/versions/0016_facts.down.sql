SET LOCAL lock_timeout = '5s';

DROP TABLE fact_zones, fact_days, facts;
