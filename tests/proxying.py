"""A pool of connections that leads through a proxy, which can lose them."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from chaos.proxy import Proxy
from databases import url_of
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer


@asynccontextmanager
async def through_a_proxy(
    server: EmbeddedServer, name: str, *, pool_size: int = 4
) -> AsyncIterator[tuple[Proxy, Database]]:
    socket = f"{parse_qs(urlsplit(url_of(server, name)).query)['host'][0]}/.s.PGSQL.5432"
    proxy = Proxy(lambda: [socket], random.Random(0))
    async with proxy.listening():
        url = f"postgresql://owner_service@127.0.0.1:{proxy.port}/{name}?sslmode=disable"
        async with connected(url, pool_size=pool_size) as database:
            yield proxy, database


@asynccontextmanager
async def connected(url: str, *, pool_size: int = 4) -> AsyncIterator[Database]:
    database = await Database.connect(url, pool_size=pool_size)
    try:
        yield database
    finally:
        await database.close()
