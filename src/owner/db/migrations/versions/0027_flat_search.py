"""Whole words are looked up before beginnings of words, and who is behind in the months where that can be."""

from owner.db.revision import run_sql

revision = "0027"
down_revision = "0026"
serves = "0021"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
