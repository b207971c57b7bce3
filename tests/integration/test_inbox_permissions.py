"""Each page and each button of the inbox is for those whose role has its permission, and for nobody else."""

import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from fastapi.routing import APIRoute

from browsing import browsing
from factories import Tenant
from owner.api.routing import PERMISSION
from owner.inbox.app import PAGES
from owner.models.enums import UserRole
from owner.models.permissions import ROLES, Permission
from owner.services.catalog import Services
from visiting import PASSWORD, visiting

MISSING = "999999999"


def buttons() -> Iterator[tuple[str, str, Permission | None]]:
    """Method, path and permission of each route; what signs out comes last."""
    routes = [route for pages in PAGES for route in pages.router.routes if isinstance(route, APIRoute)]
    for route in sorted(routes, key=lambda one: one.path.endswith("/sign-out")):
        path = re.sub(r"\{[^}]+\}", MISSING, route.path)
        for method in sorted(route.methods or ()):
            yield method, path, (route.openapi_extra or {})[PERMISSION]


BUTTONS = list(buttons())


async def test_without_a_session_only_the_doors_open(services: Services) -> None:
    async with browsing(services) as browser:
        answers = {}
        for method, path, permission in BUTTONS:
            async with browser.session.request(method, browser.url + path, allow_redirects=False) as answer:
                place = answer.headers.get("Location", "")
                answers[method, path] = permission, place.startswith("/inbox/sign-in")

    # A form that nobody filled in is led to the door only by who had to be inside.
    assert {where for where, (permission, is_led) in answers.items() if is_led} == {
        where for where, (permission, _) in answers.items() if permission is not None
    }


@pytest.mark.parametrize("role", UserRole)
async def test_each_role_does_what_the_table_says_and_nothing_else(
    services: Services, acme: Tenant, role: UserRole
) -> None:
    email = f"{role.lower()}-{acme.owner_id}@example.com"
    async with visiting(services) as visit:
        await visit.person(acme, email, role)

    surprises = []
    async with browsing(services) as browser:
        await browser.sign_in(email, PASSWORD)
        for method, path, permission in BUTTONS:
            if permission is None:
                continue
            async with browser.session.request(
                method,
                browser.url + path,
                headers={"X-CSRF-Token": browser.csrf_token},
                allow_redirects=False,
            ) as answer:
                # The stream of what happens has no end to wait for.
                told = await answer.text() if answer.status >= HTTPStatus.BAD_REQUEST else ""
            is_refused = answer.status == HTTPStatus.FORBIDDEN and permission in told
            is_let_in = role in ROLES[permission]
            is_broken = answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.INTERNAL_SERVER_ERROR}
            if is_refused == is_let_in or is_broken:
                surprises.append((method, path, permission, answer.status, told))

    assert surprises == []
