"""The way to Postgres: pool, unit of work, embedded server, migrations."""
