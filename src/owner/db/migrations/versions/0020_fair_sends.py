"""What waits to be sent, owner by owner and sender by sender, and which accounts do not answer."""

from owner.db.revision import run_sql

revision = "0020"
down_revision = "0019"
serves = "0018"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
