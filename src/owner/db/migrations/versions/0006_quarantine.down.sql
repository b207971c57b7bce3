DROP FUNCTION quarantine_add, quarantine_list, quarantine_remove, quarantine_prune;
DROP TABLE inbound_quarantine;
