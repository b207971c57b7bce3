"""What the forms of a conversation offer: whom it can be given to, and which labels there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from owner.inbox.pages import whole_list
from owner.inbox.visit import Signed
from owner.models.label import Label
from owner.models.permissions import Permission
from owner.models.user import User
from owner.services.catalog import Services


@dataclass(frozen=True, slots=True)
class Choices:
    """People only for who may give conversations to others."""

    labels: Sequence[Label]
    people: Sequence[User]


async def load_choices(services: Services, person: Signed) -> Choices:
    caller = person.caller
    if not caller.may(Permission.CONVERSATIONS_WRITE):
        return Choices((), ())
    labels = await whole_list(services.labels.list_page, caller.owner_id)
    if not caller.may(Permission.CONVERSATIONS_SUPERVISE):
        return Choices(labels, ())
    people = await whole_list(services.users.list_page, caller.owner_id)
    able = [one for one in people if one.may_have_conversations]
    return Choices(labels, sorted(able, key=lambda one: one.name.casefold()))
