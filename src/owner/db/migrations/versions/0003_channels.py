"""Twilio accounts, the addresses they own, and the customers."""

from owner.db.revision import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
