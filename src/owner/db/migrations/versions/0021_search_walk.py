"""Common words are found by walking back, not by fetching all there are."""

from owner.db.revision import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
