"""One's own open conversations in order of their activity, and hits within the conversations shown."""

from owner.db.revision import run_sql

revision = "0023"
down_revision = "0021"
serves = "0021"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
