"""What people add to conversations: labels, notes, what they have read, canned replies."""

from owner.db.revision import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
