"""Webhooks that belong to no owner, partitioned by month."""

from owner.db.revision import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
