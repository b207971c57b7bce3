DROP FUNCTION make_partitions_ahead, make_month_partition;
DROP TABLE events;
