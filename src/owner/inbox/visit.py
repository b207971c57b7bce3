"""Who looks at a page: a person who is signed in, or somebody who is about to."""

from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request

from owner.inbox.language import Voice
from owner.inbox.security import csrf_token
from owner.models.errors import Unauthenticated
from owner.models.owner import Owner, time_zones
from owner.models.permissions import Permission
from owner.models.principal import Principal
from owner.models.user import User
from owner.services.catalog import Services
from owner.wording import choose_language

LANGUAGE_COOKIE: Final = "owner_language"
TIME_ZONE_COOKIE: Final = "owner_time_zone"


@dataclass(frozen=True, slots=True)
class Signed:
    """A person with a session."""

    caller: Principal
    user: User
    owner: Owner
    token: str = field(repr=False)

    @property
    def csrf_token(self) -> str:
        return csrf_token(self.token)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page."""

    path: str
    voice: Voice
    signed: Signed | None = None

    @property
    def person(self) -> Signed:
        """Who is signed in; raises `Unauthenticated` where nobody is."""
        if self.signed is None:
            raise Unauthenticated
        return self.signed

    def may(self, permission: str) -> bool:
        """Whether the person may do it; for templates, which show what is possible."""
        return self.signed is not None and self.signed.caller.may(Permission(permission))


def is_secure(services: Services) -> bool:
    """Whether browsers reach us by HTTPS, so that a cookie may be kept from anything else."""
    return services.public_url.startswith("https://")


def session_cookie(services: Services) -> str:
    """The cookie's name. One that begins so browsers take over HTTPS only, and from this very host."""
    return "__Host-owner_session" if is_secure(services) else "owner_session"


def voice_of(request: Request, owner: Owner | None = None) -> Voice:
    """How to speak to who asks: as they chose, else as their browser prefers, else as their company does."""
    language = choose_language(
        request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("accept-language", ""),
        otherwise=owner.language if owner else "en",
    )
    zone = request.cookies.get(TIME_ZONE_COOKIE, "")
    if zone not in time_zones():
        zone = owner.time_zone if owner else "UTC"
    return Voice(language, ZoneInfo(zone))
