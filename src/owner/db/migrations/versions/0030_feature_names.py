"""Features of the product bear the names that the API gives them."""

from owner.db.revision import run_sql

revision = "0030"
down_revision = "0027"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
