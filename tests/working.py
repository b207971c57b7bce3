"""People of a company as the use cases see them, and conversations for them to work on."""

import json
import secrets
from typing import Any

from factories import Tenant, make_inbound, some_number
from owner.models.enums import ActorKind, UserRole
from owner.models.event import Actor
from owner.models.permissions import SCOPES, permissions_of_role
from owner.models.principal import Principal
from owner.repositories.users import UserRepository
from owner.services.catalog import Services
from owner.worker.jobs import JOBS


async def make_person(
    services: Services, tenant: Tenant, role: UserRole = UserRole.AGENT, **changes: object
) -> Principal:
    """Somebody who is signed in."""
    async with services.database.owner(tenant.owner_id) as connection:
        user = await UserRepository(connection).add(
            {
                "owner_id": tenant.owner_id,
                "email": f"{secrets.token_hex(6)}@example.com",
                "name": "Bruno",
                "role": role,
                "password_hash": "nobody signs in with this",
                **changes,
            }
        )
    return Principal(tenant.owner_id, Actor(ActorKind.USER, user.user_id), permissions_of_role(role), role)


def a_program(tenant: Tenant) -> Principal:
    """A program with every scope."""
    return Principal(tenant.owner_id, Actor(ActorKind.API_KEY, 1), SCOPES)


async def run_jobs(services: Services, tenant: Tenant, name: str) -> None:
    """Work off a tenant's jobs of one kind, which stay: a job may run twice."""
    async with services.database.system() as connection:
        rows = await connection.fetch(
            "SELECT payload FROM jobs.pgqueuer WHERE entrypoint = $1 ORDER BY id", name
        )
    for row in rows:
        ids = json.loads(row["payload"])
        if ids["owner_id"] == tenant.owner_id:
            await JOBS[name](services, **ids)


async def a_customer_writes(
    services: Services, tenant: Tenant, content: str = "Oi", *, customer: str | None = None, **changes: Any
) -> int:
    """Returns the conversation in which a customer's message is."""
    receipt = await services.inbound.receive(
        make_inbound(tenant, content, customer=customer or some_number(), **changes),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id
