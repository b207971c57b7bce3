"""The operating system's user that the embedded Postgres runs as, and what is done in its name."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "owner-postgres"
WAYS_TO_ADD_IT = (
    f"useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin {NAME}",
    f"adduser --system --group --no-create-home --home /nonexistent {NAME}",
    f"adduser -S -D -H -h /nonexistent {NAME}",  # BusyBox
)


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int
    name: str

    @classmethod
    def for_data(cls, data: Path | None) -> "Account":
        """Ourselves, or as root (which Postgres refuses) whoever the data belong to, or a user of its own."""
        if os.geteuid() != 0:
            return cls._of(_entry(os.geteuid()))
        if data is not None and data.stat().st_uid != 0:
            return cls._of(_entry(data.stat().st_uid))
        return cls._of(_own_entry())

    @classmethod
    def _of(cls, entry: pwd.struct_passwd) -> "Account":
        return cls(entry.pw_uid, entry.pw_gid, entry.pw_name)

    def who_may_connect(self) -> Sequence[str]:
        """This user, ourselves, and root, who can become anybody anyway."""
        return sorted({self.name, *(_entry(uid).pw_name for uid in {os.geteuid(), 0})})

    def run(
        self, *command: str | Path, pass_fds: tuple[int, ...] = (), output: int = subprocess.DEVNULL
    ) -> bool:
        """Whether the command went well; it sees nothing of our environment (PGPORT and the like)."""
        becomes_another = os.geteuid() != self.uid
        finished = subprocess.run(  # nosec B603 # the commands are ours
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            pass_fds=pass_fds,
            user=self.uid if becomes_another else None,
            group=self.gid if becomes_another else None,
            extra_groups=[] if becomes_another else None,
        )
        return finished.returncode == 0

    def reaches(self, path: Path) -> bool:
        return os.geteuid() == self.uid or self.run("/bin/sh", "-c", 'test -x "$0"', path)

    def give(self, folder: Path) -> None:
        """Makes it a folder that only this user (and root) can look into."""
        folder.chmod(0o700)
        os.chown(folder, self.uid, self.gid)

    def write(self, path: Path, text: str) -> None:
        """Replaces a file in this user's folder, never through a link that was planted there."""
        handle, draft = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchown(handle, self.uid, self.gid)
        Path(draft).replace(path)


def _entry(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise PermissionError(f"user id {uid} has no name on this machine (/etc/passwd)") from None


def _own_entry() -> pwd.struct_passwd:
    """Made once; where no tool can make it, `nobody` has to do."""
    for way in WAYS_TO_ADD_IT:
        if (found := _find(NAME)) is not None:
            return found
        tool, *words = way.split()
        if (path := shutil.which(tool)) is not None:
            subprocess.run([path, *words], check=False, capture_output=True)  # nosec B603 # the words are above
    found = _find(NAME) or _find("nobody")
    if found is None:
        raise PermissionError(f"Postgres can't run as root, and there is neither a user {NAME} nor a nobody")
    return found


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
