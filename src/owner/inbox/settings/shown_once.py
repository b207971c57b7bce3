"""What is shown one time after it was made: carried to the next page sealed, by the browser that asked for it.

A reload shows the page without it and makes nothing anew; no address, log or table holds it.
"""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, Generic, TypeVar, cast

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import TypeAdapter

from owner.inbox.settings.sections import ROOT, SettingsPage, show_settings
from owner.inbox.visit import Signed, is_secure
from owner.models.errors import Misconfigured
from owner.services.catalog import Services

T = TypeVar("T")
COOKIE: Final = "owner_shown_once"
CARRIED_FOR: Final = 60  # seconds from the making to the showing


class ShownOnce(Generic[T]):
    """One kind of secret that pages of settings make; `place` is the page that shows it."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = TypeAdapter(kind)

    def show_next(self, request: Request, person: Signed, place: str, made: T) -> Response:
        """To the page that shows it."""
        services = cast("Services", request.state.services)
        response = RedirectResponse(f"{ROOT}/{place}", HTTPStatus.SEE_OTHER)
        written = self._kind.dump_json(made).decode()
        sealed = services.secrets_box.encrypt(json.dumps([person.caller.session_id, place, written]))
        response.set_cookie(
            COOKIE,
            sealed.decode(),
            max_age=CARRIED_FOR,
            path=f"{ROOT}/{place}",
            secure=is_secure(services),
            httponly=True,
            samesite="strict",
        )
        return response

    async def show(
        self,
        request: Request,
        person: Signed,
        place: str,
        load: Callable[[T | None], Awaitable[SettingsPage]],
    ) -> Response:
        """The page with what was made for it just now, which the browser then has no more; mostly there is nothing."""
        made = self._find(request, person, place)
        response = show_settings(request, await load(made))
        if made is not None:
            response.delete_cookie(COOKIE, path=f"{ROOT}/{place}", httponly=True, samesite="strict")
        return response

    def _find(self, request: Request, person: Signed, place: str) -> T | None:
        sealed = request.cookies.get(COOKIE)
        if sealed is None:
            return None
        try:
            opened = cast("Services", request.state.services).secrets_box.decrypt(sealed.encode())
        except Misconfigured:  # made up, or sealed with a key that is gone
            return None
        session_id, where, written = json.loads(opened)
        is_for_here = (session_id, where) == (person.caller.session_id, place)
        return self._kind.validate_json(written) if is_for_here else None
