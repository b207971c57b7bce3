"""A real browser: Debian's Chromium, driven by Playwright."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from filelock import FileLock
from playwright.async_api import Browser, async_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
HOW: Final = "no Chromium on this machine: as root `apt-get install chromium`, or put one on the PATH"
# It asks nobody on the internet for anything, and runs as root in a container too.
OPTIONS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium(lock: FileLock) -> str | None:
    """Its path; installed by apt where that is allowed, by one process at a time."""
    with lock:
        return _installed() or (_install() and _installed()) or None


@asynccontextmanager
async def open_browser(executable: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=OPTIONS)
        yield browser
        await browser.close()


def _installed() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _install() -> bool:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return False
    _run(apt, "update")
    return _run(apt, "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core")


def _run(apt: str, *arguments: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run([apt, "-qq", *arguments], check=False, env=environment, stdout=subprocess.DEVNULL)
    return done.returncode == 0
