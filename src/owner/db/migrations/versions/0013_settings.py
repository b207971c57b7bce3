"""Texts of an owner, two live tokens, the quarantine of one owner."""

from owner.db.revision import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
