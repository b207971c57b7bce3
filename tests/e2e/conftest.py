"""One stage for each file of tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from filelock import FileLock

from e2e.stage import Stage, open_stage
from owner.db.embedded import EmbeddedServer


@pytest.fixture(scope="module")
async def stage(
    server: EmbeddedServer,
    template: str,
    run_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    async with open_stage(server, template, folder, lock=FileLock(run_folder / "template.lock")) as opened:
        yield opened
