"""One thing done to several conversations of the list."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.conversation_list import ListWish, Told, load_list
from owner.inbox.conversations import load_page
from owner.inbox.refusals import plain
from owner.inbox.rendering import is_partial, show
from owner.inbox.routing import PageRoute, Person, Visiting
from owner.models.bulk import BulkAction
from owner.models.errors import InvalidInput
from owner.models.permissions import Permission

router = APIRouter(prefix="/inbox/conversations/bulk", route_class=PageRoute)
_ACTION: Final[TypeAdapter[BulkAction]] = TypeAdapter(BulkAction)


@router.post("", **needs(Permission.CONVERSATIONS_WRITE))
async def act(
    request: Request,
    services: UseCases,
    person: Person,
    visit: Visiting,
    *,
    wish: Annotated[ListWish, Query()],
    conv_id: Annotated[list[int], Form()],
    action: Annotated[str, Form(max_length=40)],
) -> Response:
    """Each on its own, so that one that can't stops no other; the list says which."""
    problems = await services.bulk.run(person.caller, _wanted(action, conv_id))
    failed = [(one, plain(visit.voice, problem)) for one, problem in problems.items() if problem]
    told = Told(len(problems) - len(failed), failed)
    if is_partial(request):
        return show(request, await load_list(services, person, wish, told=told))
    return show(request, await load_page(services, person, wish, told=told))


def _wanted(action: str, conv_ids: list[int]) -> BulkAction:
    """What the choice means: a word, and an id after it where one is needed."""
    name, _, value = action.partition(":")
    number = int(value) if value.isdecimal() else value
    wanted: dict[str, Any] = {"action": name, "conv_ids": conv_ids}
    if name == "ASSIGN":
        wanted["assignee_id"] = number
    if name == "LABEL":
        wanted["label_id"] = number
    try:
        return _ACTION.validate_python(wanted)
    except ValidationError as problem:
        found = problem.errors()[0]
        raise InvalidInput(found["msg"].removeprefix("Value error, "), field="action") from problem
