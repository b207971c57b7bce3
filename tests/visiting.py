"""Calls the product's API over real HTTP, as people and programs do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from factories import Tenant
from owner.models.enums import UserRole
from owner.services.catalog import Services
from serving import serving_api

PASSWORD = "correct horse"


@dataclass
class Visit:
    """The API, and ways to be let in."""

    url: str
    session: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, *, key: str | None, json: Any = None, **options: Any
    ) -> tuple[int, Any]:
        """Status and body of the answer."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= options.pop("headers", {})
        async with self.session.request(
            method, self.url + path, headers=headers, json=json, **options
        ) as response:
            if response.status >= 400:
                assert response.content_type == "application/problem+json"
            if response.status == 204:
                return 204, None
            return response.status, await response.json(content_type=None)

    async def sign_in(self, email: str, password: str = PASSWORD, **more: Any) -> str:
        """The token of a new session."""
        status, made = await self.call(
            "POST", "/v1/sessions", key=None, json={"email": email, "password": password, **more}
        )
        assert status == 201, made
        token: str = made["token"]
        return token

    async def person(
        self, tenant: Tenant, email: str, role: UserRole = UserRole.AGENT, password: str = PASSWORD
    ) -> tuple[int, str]:
        """Id and session of somebody who was invited and chose a password."""
        status, invited = await self.call(
            "POST", "/v1/users", key=tenant.api_key, json={"email": email, "name": "Bruno", "role": role}
        )
        assert status == 201, invited
        choice = {"token": invited["invitation"]["token"], "password": password}
        status, _ = await self.call("PUT", "/v1/password-resets", key=None, json=choice)
        assert status == 204
        return invited["user_id"], await self.sign_in(email, password, owner_id=tenant.owner_id)


@asynccontextmanager
async def visiting(services: Services) -> AsyncIterator[Visit]:
    async with serving_api(services) as url, aiohttp.ClientSession() as session:
        yield Visit(url, session)
