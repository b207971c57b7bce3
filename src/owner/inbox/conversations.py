"""The page of conversations: a list, a thread, and who it is with."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, ClassVar, Final, Literal

from fastapi import APIRouter, File, Form, Path, Query, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from pydantic import Field

from owner.api.conversations import ConvId
from owner.api.dependencies import UseCases
from owner.api.media import get_media
from owner.api.routing import needs
from owner.inbox.choices import Choices, load_choices
from owner.inbox.conversation_list import ConversationList, ListWish, Told, load_list
from owner.inbox.conversation_thread import ConversationPane, load_pane, load_stretch
from owner.inbox.files import uploads_of
from owner.inbox.forms import Asked, said
from owner.inbox.rendering import Page, is_partial, show
from owner.inbox.routing import PageRoute, Person
from owner.inbox.visit import Signed
from owner.models.entity import LARGEST_ID
from owner.models.errors import InvalidInput
from owner.models.event import EVENT_TYPES
from owner.models.message import MessageCreate
from owner.models.note import NoteCreate
from owner.models.permissions import Permission
from owner.repositories.event_pages import write_feed_cursor
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/conversations", route_class=PageRoute)
Wish = Annotated[ListWish, Query()]
SHOWN: Final = ("closure.", "contact.", "conversation.", "label.", "media.", "message.", "note.")


class StretchWish(Asked):
    """Where an older stretch of a thread ends, and what is looked for in it."""

    cursor: str = Field(max_length=500)
    q: str = Field(default="", max_length=200)


@dataclass(frozen=True, slots=True)
class ConversationsPage(Page):
    """The whole page; `pane` where a conversation is open in it."""

    template: ClassVar = "conversations.html"
    list: ConversationList
    choices: Choices
    since: str  # where its stream begins
    pane: ConversationPane | None = None

    @property
    def event_types(self) -> str:
        """What the page listens for: everything that can change what it shows."""
        return " ".join(name for name in EVENT_TYPES if name.startswith(SHOWN))


@router.get("", **needs(Permission.CONVERSATIONS_READ))
async def show_conversations(request: Request, services: UseCases, person: Person, wish: Wish) -> Response:
    return show(request, await load_page(services, person, wish))


@router.get("/list", **needs(Permission.CONVERSATIONS_READ))
async def show_list(request: Request, services: UseCases, person: Person, wish: Wish) -> Response:
    """A page of lines: the next one, or the first ones anew."""
    return show(request, await load_list(services, person, wish))


@router.get("/media/{media_id}", **needs(Permission.CONVERSATIONS_READ))
async def show_file(
    services: UseCases, person: Person, media_id: Annotated[int, Path(ge=1, le=LARGEST_ID)]
) -> Response:
    """A customer's file, exactly as the REST API serves it."""
    return await get_media(media_id, services, person.caller)


@router.get("/{conv_id:int}", **needs(Permission.CONVERSATIONS_READ))
async def show_conversation(
    request: Request, services: UseCases, person: Person, conv_id: ConvId, wish: Wish
) -> Response:
    if is_partial(request):
        return show(request, await load_pane(services, person, conv_id, q=wish.q))
    return show(request, await load_page(services, person, wish, conv_id=conv_id))


@router.get("/{conv_id:int}/older", **needs(Permission.CONVERSATIONS_READ))
async def show_older(
    request: Request,
    services: UseCases,
    person: Person,
    conv_id: ConvId,
    wish: Annotated[StretchWish, Query()],
) -> Response:
    return show(request, await load_stretch(services, person, conv_id, before=wish.cursor, q=wish.q))


@router.post("/{conv_id:int}/messages", **needs(Permission.MESSAGES_SEND))
async def write(
    request: Request,
    services: UseCases,
    person: Person,
    conv_id: ConvId,
    *,
    content: Annotated[str, Form()] = "",
    kind: Annotated[Literal["message", "note"], Form()] = "message",
    expected_last_msg_id: Annotated[int | None, Form()] = None,
    files: Annotated[Sequence[UploadFile], File()] = (),
) -> Response:
    """To the customer, with files or without, or a note among colleagues."""
    uploads, say = await uploads_of(files), request.state.visit.voice.say
    if not (content.strip() or uploads):
        raise InvalidInput(say("Write something, or attach a file."))
    if kind == "note":
        if uploads:
            raise InvalidInput(say("A note can't have files. Take them out, or send them to the customer."))
        await services.notes.create(person.caller, conv_id, said(NoteCreate, content=content))
        return await done(request, services, person, conv_id)
    urls = services.attachments.urls_to_come(len(uploads))
    create = said(MessageCreate, content=content, media_urls=urls, expected_last_msg_id=expected_last_msg_id)
    await services.attachments.send_as(person.caller, conv_id, create, uploads)
    return await done(request, services, person, conv_id)


async def load_page(
    services: Services,
    person: Signed,
    wish: ListWish,
    *,
    conv_id: int | None = None,
    told: Told | None = None,
) -> ConversationsPage:
    since = write_feed_cursor(await services.event_streams.now())  # before anything else is read
    pane = await load_pane(services, person, conv_id, q=wish.q) if conv_id else None
    shown = await load_list(services, person, wish, selected=conv_id, told=told)
    choices = pane.choices if pane else await load_choices(services, person)
    return ConversationsPage(shown, choices, since, pane)


async def done(request: Request, services: UseCases, person: Person, conv_id: int) -> Response:
    """The conversation as it is now, after something was done to it."""
    if is_partial(request):
        return show(request, await load_pane(services, person, conv_id))
    return RedirectResponse(f"/inbox/conversations/{conv_id}", HTTPStatus.SEE_OTHER)
