"""The inbox as a browser without script sees it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import aiohttp
from yarl import URL

from owner.services.catalog import Services
from serving import serving_api

_TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


@dataclass
class Seen:
    """A page."""

    status: int
    path: str  # where redirects led
    html: str
    headers: Any

    @property
    def text(self) -> str:
        """What a person reads."""
        return unescape(re.sub(r"<[^>]+>", " ", self.html))


@dataclass
class Browser:
    """Keeps cookies, follows redirects, sends a form's token along."""

    url: str
    session: aiohttp.ClientSession
    csrf_token: str = ""

    async def get(self, path: str, **options: Any) -> Seen:
        return await self._see("GET", path, **options)

    async def post(self, path: str, *, with_token: bool = True, headers: Any = None, **fields: Any) -> Seen:
        token = {"csrf_token": self.csrf_token} if with_token and self.csrf_token else {}
        pairs = [
            (name, str(one))
            for name, value in {**fields, **token}.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        return await self._see("POST", path, data=pairs, headers=headers)

    async def send(self, path: str, form: aiohttp.FormData) -> Seen:
        """A form with files in it."""
        return await self._see("POST", path, data=form)

    async def sign_in(self, email: str, password: str, **fields: Any) -> Seen:
        return await self.post("/inbox/sign-in", email=email, password=password, **fields)

    async def _see(self, method: str, path: str, **options: Any) -> Seen:
        async with self.session.request(method, self.url + path, **options) as response:
            seen = Seen(response.status, response.url.path_qs, await response.text(), response.headers.copy())
        if token := _TOKEN.search(seen.html):
            self.csrf_token = token[1]
        return seen


@asynccontextmanager
async def browsing(services: Services) -> AsyncIterator[Browser]:
    """A browser of somebody who has never been here."""
    async with serving_api(services) as url:
        # Cookies of 127.0.0.1 are kept too, and those for HTTPS, which a proxy would speak before us.
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(url))
        async with aiohttp.ClientSession(cookie_jar=jar, headers={"Accept-Language": "en"}) as session:
            yield Browser(url, session)
