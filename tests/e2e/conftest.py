"""One stage for each file of tests, and browsers at it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from playwright.async_api import Browser, Page

from e2e.chromium import HOW, find_chromium, open_browser
from e2e.desk import DESK, SitDown, sign_in
from e2e.stage import Stage, open_stage
from factories import Tenant
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


@pytest.fixture(scope="module")
async def browser(run_folder: Path) -> AsyncIterator[Browser]:
    executable = find_chromium(FileLock(run_folder / "chromium.lock"))
    if executable is None:
        pytest.skip(HOW)
    async with open_browser(executable) as opened:
        yield opened


@pytest.fixture(scope="module")
async def running(stage: Stage) -> Stage:
    await stage.serve()
    await stage.work()
    return stage


@pytest.fixture
async def acme(running: Stage) -> Tenant:
    return await running.tenant("acme")


@pytest.fixture
async def sit_down(running: Stage, browser: Browser, acme: Tenant) -> AsyncIterator[SitDown]:
    """Somebody of the company opens a browser of their own and signs in; scripts that fail, fail the test."""
    contexts, failures = [], []

    async def open_page(**options: Any) -> Page:
        wanted = {"locale": "en-US", "viewport": DESK, "base_url": running.url, **options}
        context = await browser.new_context(**wanted)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        await page.goto("/inbox/sign-in")
        await sign_in(page, acme)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert failures == []
