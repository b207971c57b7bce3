"""How far each Twilio account was compared with its message log, and whether its URLs had drifted."""

from owner.db.revision import run_sql

revision = "0019"
down_revision = "0018"
serves = "0018"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
