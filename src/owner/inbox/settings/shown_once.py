"""What is shown one time after it was made: carried to the next page sealed, by the browser that asked for it.

A reload shows the page without it and makes nothing anew; no address, log or table holds it.
"""

import json
from http import HTTPStatus
from typing import Final, cast

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from owner.inbox.settings.sections import ROOT
from owner.inbox.visit import Signed, is_secure
from owner.models.errors import Misconfigured
from owner.services.catalog import Services

COOKIE: Final = "owner_shown_once"
CARRIED_FOR: Final = 60  # seconds from the making to the showing


def show_next(request: Request, person: Signed, place: str, secret: str) -> Response:
    """To the page of settings that shows it."""
    services = cast("Services", request.state.services)
    response = RedirectResponse(f"{ROOT}/{place}", HTTPStatus.SEE_OTHER)
    sealed = services.secrets_box.encrypt(json.dumps([person.caller.session_id, place, secret]))
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


def find_shown(request: Request, person: Signed, place: str) -> str | None:
    """What was made for this person's session and for this page just now."""
    sealed = request.cookies.get(COOKIE)
    if sealed is None:
        return None
    try:
        opened = cast("Services", request.state.services).secrets_box.decrypt(sealed.encode())
    except Misconfigured:  # made up, or sealed with a key that is gone
        return None
    session_id, where, secret = json.loads(opened)
    return str(secret) if (session_id, where) == (person.caller.session_id, place) else None


def forget_shown(response: Response, place: str) -> Response:
    """It was shown; the browser has it no more."""
    response.delete_cookie(COOKIE, path=f"{ROOT}/{place}", httponly=True, samesite="strict")
    return response
