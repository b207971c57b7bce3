"""The encryption key of who runs Owner from one folder: made at the first start, kept there."""

import contextlib
import os
from pathlib import Path

from owner.services.secrets_box import new_secret_key


def own_secret_key(path: Path) -> list[str]:
    """The key in the data folder, made at the first start; only its user may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(new_secret_key())
            file.flush()
            os.fsync(file.fileno())
        # Linking fails where another process was first; its key is the one that counts.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return [path.read_text().strip()]
