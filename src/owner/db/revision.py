"""Runs the SQL file that lies beside a revision."""

from pathlib import Path
from typing import Literal

from alembic import op


def run_sql(revision_file: str, direction: Literal["up", "down"]) -> None:
    """Execute `<revision>.up.sql` or `.down.sql`, sent as written: no parameters, several statements."""
    script = Path(revision_file).with_suffix(f".{direction}.sql").read_text()
    cursor = op.get_bind().connection.cursor()
    try:
        cursor.execute(script.encode())
    finally:
        cursor.close()
