"""Events are found by when they happened, and by their conversation, without reading all around them."""

from owner.db.revision import run_sql

revision = "0025"
down_revision = "0024"
serves = "0021"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
