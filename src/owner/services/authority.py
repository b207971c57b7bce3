"""What a caller's role lets them say: how they end a conversation, and as whom they write."""

from owner.models.enums import ActorKind, ConversationStatus, MessageOwner, UserRole
from owner.models.errors import Forbidden, PermissionMissing
from owner.models.permissions import Permission
from owner.models.principal import Principal


def closing_status(caller: Principal, wanted: ConversationStatus | None) -> ConversationStatus:
    """How the caller ends a conversation; programs choose.

    Raises:
        PermissionMissing: an AGENT can't end it as a supervisor.
    """
    if wanted is None:
        is_support = caller.role is UserRole.SUPPORT
        return ConversationStatus.SUPPORT_CLOSED if is_support else ConversationStatus.AGENT_CLOSED
    if wanted is ConversationStatus.SUPPORT_CLOSED and _is_person(caller):
        caller.require(Permission.CONVERSATIONS_SUPERVISE)
    return wanted


def author(caller: Principal, wanted: MessageOwner | None) -> MessageOwner:
    """As whom the caller writes; programs choose.

    Raises:
        PermissionMissing: an AGENT can't write as a supervisor.
        Forbidden: a person can't pass for a program.
    """
    if wanted is None:
        return MessageOwner.SUPPORT if caller.role is UserRole.SUPPORT else MessageOwner.AGENT
    if not _is_person(caller):
        return wanted
    if wanted in {MessageOwner.AI, MessageOwner.SYSTEM}:
        raise Forbidden(f"Only programs write as {wanted}.", field="message_owner")
    if wanted is MessageOwner.SUPPORT and not caller.may(Permission.CONVERSATIONS_SUPERVISE):
        raise PermissionMissing(Permission.CONVERSATIONS_SUPERVISE)
    return wanted


def _is_person(caller: Principal) -> bool:
    return caller.actor.kind is ActorKind.USER
