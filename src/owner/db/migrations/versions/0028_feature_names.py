"""Features of the product bear the names that the API gives them; idleness follows activity in SQL too."""

from owner.db.revision import run_sql

revision = "0028"
down_revision = "0027"
# A program of before can't configure a renamed feature anew, which nothing acts on; all else is as it was.
serves = "0021"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
