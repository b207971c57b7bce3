"""Messages of many owners are claimed, and their outcomes noted, in one transaction."""

from owner.db.revision import run_sql

revision = "0024"
down_revision = "0023"
serves = "0021"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
