"""The customer's phone in a browser, at /simulator: it writes, it shows, and its faults can be switched on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from owner.integrations.simulator import phone, screen
from owner.integrations.simulator.addresses import is_reachable, number_of
from owner.integrations.simulator.context import World, world_of
from owner.integrations.simulator.faults import Fault
from owner.integrations.simulator.media import Unsuitable, attachment_of
from owner.integrations.simulator.registration import Registration
from owner.integrations.simulator.switches import BY_NAME, SWITCHES, Line
from owner.integrations.simulator.writing import Writing
from owner.models.addresses import spaced
from owner.wording import TAGS, choose_language, templates_in
from owner.wording import later as _

FOLDER: Final = Path(__file__).parent
STATIC: Final = FOLDER / "static"
SOMEBODY: Final = "+5511987654321"
LANGUAGE_COOKIE: Final = "owner_phone_language"
YEAR: Final = 365 * 24 * 3600  # seconds
HOW_OFTEN: Final = {_("once"): 1, _("5 times"): 5, _("until switched off"): None}
HEADERS: Final = {
    "cache-control": "no-store",
    # Pictures that the company sends are fetched where they are.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: http: https:; media-src 'self' http: https:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class FromElsewhere(Exception):
    """Another site's page sent this."""


async def show(request: Request) -> Response:
    world, asked = world_of(request), request.query_params
    line = _line(world, asked)
    if line is None:
        return _render(request, "phone_empty.html")
    is_number = is_reachable(line.customer)
    others = screen.other_lines(world, line)
    return _render(
        request,
        "phone.html",
        {
            "line": line,
            "number": number_of(line.customer),
            "name": asked.get("name", "") or screen.name_of(world, line.customer),
            "is_number": is_number,
            "companies": list(world.store.account_by_number),
            "bubbles": screen.bubbles_of(world, line),
            "others": others,
            "names": {other.customer: screen.name_of(world, other.customer) for other in others},
            "somebody_else": screen.unused_number(world),
            "switches": SWITCHES,
            "faults": world.faults.armed,
            "how_often": HOW_OFTEN,
            "often": asked.get("often", "until switched off"),
        },
        status=HTTPStatus.OK if is_number else HTTPStatus.BAD_REQUEST,
    )


async def register(request: Request) -> Response:
    """An account that `owner twilio connect` knows too, so that its numbers can be written to."""
    async with _own_form(request) as form:
        given = {name: _text(form, name) for name in ("account_sid", "auth_token", "inbound_url")}
        numbers = _text(form, "numbers").replace(",", " ").split()
    try:
        registration = Registration.model_validate({**given, "numbers": numbers})
    except ValidationError:
        return _refuse(request)
    store = world_of(request).store
    store.register(registration.account(created_at=store.now()))
    return RedirectResponse("/simulator", HTTPStatus.SEE_OTHER)


async def write(request: Request) -> Response:
    """A message, a file, a place or a tapped button; answered once the company's server has taken it."""
    async with _own_form(request) as form:
        try:
            writing = await _writing(form)
        except (Unsuitable, ValidationError):
            return _refuse(request, back=_address(form))
    world, customer = world_of(request), _text(form, "customer")
    is_something = writing.text or writing.media or writing.location
    if is_something and is_reachable(customer):
        await phone.write(world, customer, writing, base_url=world.base_url(request))
    return _back(form)


async def switch(request: Request) -> Response:
    """Switch a fault on, off if it is on, or all of this phone's off."""
    async with _own_form(request) as form:
        line = Line(_text(form, "customer"), _text(form, "to"))
    faults = world_of(request).faults.armed
    wanted = BY_NAME.get(_text(form, "switch"))
    if wanted is None:
        _remove(faults, [fault for one in BY_NAME.values() for fault in one.armed(faults, line)])
    elif armed := wanted.armed(faults, line):
        _remove(faults, armed)
    else:
        faults.append(wanted.fault(line, count=HOW_OFTEN.get(_text(form, "often"))))
    return _back(form)


async def speak(request: Request) -> Response:
    """In another language from now on."""
    async with _own_form(request) as form:
        language = choose_language(_text(form, "language"), "")
        response = _back(form)
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR, path="/simulator", samesite="lax")
    return response


def refuse_other_site(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - how handlers are called
    return _refuse(request, status=HTTPStatus.FORBIDDEN)


def _line(world: World, asked: Mapping[str, str]) -> Line | None:
    """Who is asked for; otherwise who wrote last, or somebody."""
    companies = list(world.store.account_by_number)
    if not companies:
        return None
    latest = next(iter(screen.other_lines(world, Line("", ""))), Line(SOMEBODY, companies[0]))
    company = asked.get("to", latest.company if latest.company in companies else companies[0])
    if company not in companies:
        company = companies[0]
    number = asked.get("number", "").strip() or number_of(latest.customer)
    # People leave out the plus, and addresses typed by hand turn it into a space.
    number = f"+{number}" if number[:1].isdigit() else number
    return Line(screen.customer_address(number, company), company)


@asynccontextmanager
async def _own_form(request: Request) -> AsyncIterator[FormData]:
    """What a page of ours sent; raises `FromElsewhere` for anything else."""
    if request.headers.get("sec-fetch-site") not in {None, "same-origin", "none"}:
        raise FromElsewhere
    async with request.form() as form:
        yield form


async def _writing(form: FormData) -> Writing:
    given: dict[str, Any] = {"to": _text(form, "to"), "body": _text(form, "body")}
    if name := _text(form, "name"):
        given["profile_name"] = name
    if button := _text(form, "button"):
        given["button"] = {"payload": button, "text": _text(form, "button_text") or button, "type": "REPLY"}
        given["reply_to_sid"] = _text(form, "reply_to") or None
    if item := _text(form, "list_item"):
        title, description = _text(form, "button_text") or item, _text(form, "description")
        given["list"] = {"id": item, "title": title, "description": description}
        given["reply_to_sid"] = _text(form, "reply_to") or None
    if latitude := _text(form, "latitude"):
        place = {name: _text(form, name) for name in ("longitude", "label", "address")}
        given["location"] = {"latitude": latitude, **place}
    writing = Writing.model_validate(given)
    for file in form.getlist("file"):
        if isinstance(file, UploadFile) and file.filename:
            writing.media.append(await attachment_of(file))
    return writing


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _remove(faults: list[Fault], unwanted: list[Fault]) -> None:
    faults[:] = [fault for fault in faults if fault not in unwanted]


def _back(form: FormData) -> Response:
    return RedirectResponse(_address(form), HTTPStatus.SEE_OTHER)


def _address(form: FormData) -> str:
    place = {"number": number_of(_text(form, "customer"))}
    place |= {name: _text(form, name) for name in ("to", "name", "often") if _text(form, name)}
    return f"/simulator?{urlencode(place)}"


def _refuse(
    request: Request, *, back: str = "/simulator", status: HTTPStatus = HTTPStatus.BAD_REQUEST
) -> Response:
    return _render(request, "phone_refused.html", {"back": back}, status=status)


def _render(
    request: Request,
    template: str,
    facts: Mapping[str, Any] | None = None,
    *,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    wanted = request.cookies.get(LANGUAGE_COOKIE)
    language = choose_language(wanted, request.headers.get("accept-language", ""))
    page = _environment(language).get_template(template)
    html = page.render(facts or {}, language=language, tag=TAGS[language])
    return HTMLResponse(html, status, HEADERS)


@cache
def _environment(language: str) -> Environment:
    environment = templates_in(FOLDER, language)
    environment.globals |= {
        "channel_name": screen.channel_name,
        "number_of": number_of,
        "spaced": spaced,
        "hue_of": screen.hue_of,
    }
    return environment
