"""Sessions, one-time links, second factors, and the platform's own keys."""

from owner.db.revision import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
