"""What browsers are told about every page, and which requests a page can have made."""

import hmac
from hashlib import blake2b
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from owner.models.errors import Forbidden

SOURCES: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
POLICY: Final = "; ".join(f"{what} {where}" for what, where in SOURCES.items())
HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def protect(response: Response) -> Response:
    """Tell browsers what this page may do; what the answer says itself stays."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def csrf_token(session_token: str) -> str:
    """What a form of this session brings along: who can read it can read the page."""
    return blake2b(b"csrf", key=session_token.encode()[:64], digest_size=16).hexdigest()


def refuse_other_origin(request: Request, public_url: str) -> None:
    """Raise `Forbidden` for a request that another site's page made.

    Browsers say where from in `Sec-Fetch-Site`, but older ones and those that came by plain HTTP only in `Origin`.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is not None:
        ours = {urlsplit(public_url).netloc, request.headers.get("host")}
        site = "same-origin" if origin.partition("://")[2] in ours else origin
    if site not in {None, "same-origin", "none"}:
        raise Forbidden("This came from another site's page, so nothing was done.")


async def refuse_without_token(request: Request, session_token: str) -> None:
    """Raise `Forbidden` unless a form of the same session sent this."""
    sent = request.headers.get("x-csrf-token")
    if sent is None:
        form = await request.form()
        field = form.get("csrf_token")
        sent = field if isinstance(field, str) else ""
    if not hmac.compare_digest(sent.encode(), csrf_token(session_token).encode()):
        raise Forbidden("This page was too old to be sent; load it again.")
