"""How far each reader of the events has got, and who has new ones."""

from owner.db.revision import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
