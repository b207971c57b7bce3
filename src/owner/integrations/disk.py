"""Keeps files in a folder of this machine."""

import asyncio
import os
import tempfile
from pathlib import Path

from owner.models.errors import InvalidInput
from owner.models.outage_errors import MediaStoreUnavailable


class DiskMediaStore:
    """Fulfils `ports.MediaStore`; a file is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, key: str, content: bytes) -> None:
        try:
            await asyncio.to_thread(self._write, self._path(key), content)
        except OSError as problem:
            raise MediaStoreUnavailable(f"The file can't be kept now: {problem.strerror}.") from problem

    async def get(self, key: str) -> bytes | None:
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError:
            return None

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    def _path(self, key: str) -> Path:
        path = (self.folder / key).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise InvalidInput("The key leaves the media folder.")
        return path

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
