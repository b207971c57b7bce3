"""Rows of many owners go in by one statement, each under its own owner's setting."""

from owner.db.revision import run_sql

revision = "0026"
down_revision = "0025"
serves = "0021"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
