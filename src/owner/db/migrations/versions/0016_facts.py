"""Measured facts, from which reports are made."""

from owner.db.revision import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
