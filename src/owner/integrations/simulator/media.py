"""Serves what customers attached: behind Basic auth a redirect, behind the redirect the bytes."""

import re
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from owner.integrations.simulator.context import message_of, not_found, world_of
from owner.integrations.simulator.resources import API, media_resource
from owner.integrations.simulator.store import Media
from owner.integrations.simulator.writing import Attachment

LARGEST: Final = 16 * 1024 * 1024
CONTENT_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+")


class Unsuitable(Exception):
    """A file that no phone would send."""


async def list_media(request: Request) -> Response:
    message = message_of(request)
    return JSONResponse(
        {
            "media_list": [media_resource(media, message) for media in message.media],
            "end": max(len(message.media) - 1, 0),
            "next_page_uri": None,
            "page": 0,
            "page_size": 50,
            "start": 0,
            "uri": f"{API}/{message.account_sid}/Messages/{message.sid}/Media.json",
        },
    )


async def fetch_media(request: Request) -> Response:
    """The resource when asked for `.json`, otherwise the way to the bytes."""
    message = message_of(request)
    media_sid: str = request.path_params["media_sid"]
    media = _attached(message.media, media_sid.removesuffix(".json"))
    if media is None:
        raise not_found(request)
    if media_sid.endswith(".json"):
        return JSONResponse(media_resource(media, message))
    return RedirectResponse(media.location or f"{world_of(request).base_url(request)}/cdn/{media.sid}", 307)


async def download(request: Request) -> Response:
    media = world_of(request).store.media.get(request.path_params["media_sid"])
    if media is None or media.location:
        return Response(status_code=404)
    # As a raw header: Starlette would add a charset to text types.
    return Response(
        media.content,
        headers={
            "Content-Type": media.content_type or "application/octet-stream",
            # The phone's page is served from here too: nothing that somebody attached runs beside it.
            "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; media-src 'self'",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def attachment_of(file: UploadFile) -> Attachment:
    """A file that was chosen in a browser; raises `Unsuitable`."""
    content = await file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Unsuitable
    told = file.content_type or ""
    content_type = told if CONTENT_TYPE.fullmatch(told) else "application/octet-stream"
    return Attachment.model_construct(content_type=content_type, data_base64=content)


def _attached(attachments: list[Media], media_sid: str) -> Media | None:
    return next((media for media in attachments if media.sid == media_sid), None)
