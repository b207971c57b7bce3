"""Turns page dataclasses into HTML, by templates that escape everything."""

from functools import cache
from hashlib import blake2b
from typing import ClassVar, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment
from starlette.requests import Request

from owner.inbox.devices import device_name
from owner.inbox.language import FOLDER, channel_name
from owner.inbox.visit import Visit
from owner.models.addresses import spaced
from owner.models.template import pieces
from owner.wording import templates_in

STATIC: Final = FOLDER / "static"
STATIC_URL: Final = "/inbox/static"


class Page:
    """What a template shows, as its `page`; subclasses are dataclasses that name their template."""

    template: ClassVar[str]


def show(
    request: Request, page: Page, *, status: int = 200, headers: dict[str, str] | None = None
) -> HTMLResponse:
    """The page as this visitor reads it."""
    visit: Visit = request.state.visit
    template = _environment(visit.voice.language).get_template(page.template)
    notice = request.query_params.get("notice")  # what a form that led here has to say
    html = template.render(
        page=page, visit=visit, voice=visit.voice, is_partial=is_partial(request), notice=notice
    )
    return HTMLResponse(html, status, headers)


def is_partial(request: Request) -> bool:
    """Whether HTMX asks, who puts the answer into a page that is there already."""
    return request.headers.get("hx-request") == "true"


@cache
def static_url(name: str) -> str:
    """A file's address, which changes with its content, so that browsers may keep it for good."""
    digest = blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()
    return f"{STATIC_URL}/{name}?v={digest}"


@cache
def _environment(language: str) -> Environment:
    environment = templates_in(FOLDER, language)
    environment.globals |= {
        "static_url": static_url,
        "channel_name": channel_name,
        "device_name": device_name,
        "pieces": pieces,
        "spaced": spaced,
    }
    return environment
