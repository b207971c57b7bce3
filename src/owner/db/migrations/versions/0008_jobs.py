"""The job queue of PgQueuer, in a schema of its own."""

from owner.db.revision import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
