"""Pages by which people come in and go out: sign in, sign out, choose a password, choose a language."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from owner.api.dependencies import UseCases
from owner.api.errors import http_status, note
from owner.api.routing import needs
from owner.api.visitor import From
from owner.inbox.forms import said
from owner.inbox.rendering import Page, is_partial, show
from owner.inbox.routing import SIGN_IN, PageRoute, Person, Visiting
from owner.inbox.visit import LANGUAGE_COOKIE, is_secure, session_cookie
from owner.models.access_errors import (
    OwnerChoiceRequired,
    PasswordGuessable,
    SecondFactorRequired,
    SignInRejected,
)
from owner.models.errors import NotFound, OwnerError, Unauthenticated
from owner.models.one_time_link import PasswordResetCreate, PasswordSet
from owner.models.outage_errors import RateLimited
from owner.models.permissions import Permission
from owner.models.session import AT_MOST, SessionCreate

router = APIRouter(prefix="/inbox", route_class=PageRoute)
HOME: Final = "/inbox/conversations"
YEAR: Final = 365 * 24 * 3600  # seconds
_AS_SENT: Final = "%/:?#[]@!$&'()*+,;="  # of an address; headers hold nothing but ASCII


@dataclass(frozen=True, slots=True)
class SignInPage(Page):
    """The door. `asks_code` once the password was right and a second factor is due."""

    template: ClassVar = "sign_in.html"
    next: str = HOME
    email: str = ""
    problem: str | None = None
    notice: str | None = None
    asks_code: bool = False
    companies: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ForgottenPage(Page):
    """Where a link by e-mail is asked for, if this installation can mail one."""

    template: ClassVar = "password_forgotten.html"
    can_mail: bool
    is_sent: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PasswordPage(Page):
    """Where an invitation or a reset link leads."""

    template: ClassVar = "password_choice.html"
    token: str
    problem: str | None = None


@router.get("", **needs(None))
async def go_home() -> Response:
    return RedirectResponse(HOME, HTTPStatus.SEE_OTHER)


@router.get("/sign-in", **needs(None))
async def ask_who_it_is(
    request: Request,
    visit: Visiting,
    target: Annotated[str, Query(alias="next")] = HOME,
    notice: str | None = None,
) -> Response:
    if visit.signed is not None:
        return RedirectResponse(own_place(target), HTTPStatus.SEE_OTHER)
    return show(request, SignInPage(next=own_place(target), notice=notice))


@router.post("/sign-in", **needs(None))
async def sign_in(
    request: Request,
    services: UseCases,
    visitor: From,
    *,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    totp_code: Annotated[str, Form()] = "",
    owner_id: Annotated[str, Form(max_length=20)] = "",
    target: Annotated[str, Form(alias="next")] = HOME,
) -> Response:
    page = SignInPage(next=own_place(target), email=email, asks_code=bool(totp_code))
    try:
        wanted = SessionCreate(
            email=email,
            password=password,
            totp_code=totp_code.strip() or None,
            owner_id=int(owner_id) if owner_id.isdecimal() else None,
        )
        session = await services.sessions.sign_in(wanted, visitor)
    except (ValidationError, OwnerError) as problem:
        return _not_yet(request, page, problem)
    response = _go(request, page.next)
    response.set_cookie(
        session_cookie(services),
        session.token,
        max_age=int(AT_MOST.total_seconds()),
        secure=is_secure(services),
        httponly=True,
        samesite="lax",
    )
    return response


@router.post("/sign-out", **needs(Permission.SELF))
async def sign_out(request: Request, services: UseCases, person: Person) -> Response:
    await services.sessions.end(person.caller, person.caller.session_id or 0)
    response = _go(request, SIGN_IN)
    response.delete_cookie(session_cookie(services), secure=is_secure(services), httponly=True)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'  # files that were seen, drafts
    return response


@router.get("/password-forgotten", **needs(None))
async def ask_for_email(request: Request, services: UseCases) -> Response:
    return show(request, ForgottenPage(services.password_resets.can_mail))


@router.post("/password-forgotten", **needs(None))
async def ask_for_link(
    request: Request, services: UseCases, visitor: From, email: Annotated[str, Form(max_length=254)]
) -> Response:
    can_mail = services.password_resets.can_mail
    try:
        await services.password_resets.ask(said(PasswordResetCreate, email=email).email, visitor)
    except RateLimited as problem:
        return show(request, ForgottenPage(can_mail, problem=problem.message), status=http_status(problem))
    return show(request, ForgottenPage(can_mail, is_sent=True))


@router.get("/password", **needs(None))
async def ask_for_password(request: Request, token: str = "") -> Response:
    return show(request, PasswordPage(token))


@router.post("/password", **needs(None))
async def choose_password(
    request: Request,
    services: UseCases,
    token: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    try:
        choice = PasswordSet(token=token, password=password)
        await services.password_links.set_password(choice.token, choice.password)
    except (ValidationError, PasswordGuessable) as problem:
        told = "guessable" if isinstance(problem, PasswordGuessable) else "too_short"
        page = PasswordPage(token, problem=told)
        return show(request, page, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except NotFound as problem:
        return show(request, PasswordPage(token, problem="used"), status=http_status(problem))
    return _go(request, f"{SIGN_IN}?notice=password-chosen")


@router.post("/language", **needs(None))
async def choose_language(
    request: Request,
    services: UseCases,
    language: Annotated[Literal["pt", "en", "es"], Form()],
    target: Annotated[str, Form(alias="next")] = HOME,
) -> Response:
    response = _go(request, own_place(target))
    response.set_cookie(
        LANGUAGE_COOKIE, language, max_age=YEAR, path="/inbox", secure=is_secure(services), samesite="lax"
    )
    return response


def own_place(place: str) -> str:
    """A page of ours; home for anything that could lead elsewhere."""
    is_ours = place.startswith("/inbox") and "\\" not in place and place.isprintable()
    return quote(place, safe=_AS_SENT) if is_ours else HOME


def _go(request: Request, place: str) -> Response:
    if is_partial(request):
        return Response(status_code=HTTPStatus.OK, headers={"HX-Redirect": place})
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)


def _not_yet(request: Request, page: SignInPage, problem: OwnerError | ValidationError) -> Response:
    """The door again, with what is missing or wrong."""
    status = http_status(problem) if isinstance(problem, OwnerError) else HTTPStatus.UNAUTHORIZED
    if isinstance(problem, Unauthenticated | RateLimited):
        note(problem, status)
    match problem:
        case SecondFactorRequired():
            told = "code_wrong" if page.asks_code else None
            page = SignInPage(page.next, page.email, told, asks_code=True)
        case OwnerChoiceRequired(facts=facts):
            companies: Any = facts["owners"]
            page = SignInPage(page.next, page.email, asks_code=page.asks_code, companies=companies)
        case RateLimited():
            page = SignInPage(page.next, page.email, "too_often")
        case SignInRejected() | ValidationError():
            page = SignInPage(page.next, page.email, "rejected")
        case _:
            raise problem
    return show(request, page, status=status)
