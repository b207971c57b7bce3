"""The whole cross-tenant surface: look-ups that return ids only."""

from owner.db.revision import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
