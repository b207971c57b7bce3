"""Who may do what: one table, read by every route and by its documentation."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from owner.models.enums import UserRole
from owner.models.errors import InvalidInput


class Permission(StrEnum):
    """What a route asks for; an API key's scopes are these words, or `*` for all of its owner's."""

    CONVERSATIONS_READ = "conversations:read"  # conversations, messages, files, notes, history
    CONVERSATIONS_WRITE = "conversations:write"  # open, take, close, label, note, mark as read
    CONVERSATIONS_SUPERVISE = "conversations:supervise"  # give conversations to others, take them away
    MESSAGES_SEND = "messages:send"  # write to customers
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"  # create, change, merge, block, opt out
    CONTACTS_ERASE = "contacts:erase"  # export and erase one person's data
    LIBRARY_READ = "library:read"  # labels and canned replies
    LIBRARY_WRITE = "library:write"
    REPORTS_READ = "reports:read"
    EVENTS_READ = "events:read"  # everything that happens, as a list and as a stream
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"  # invite, change roles, deactivate
    API_KEYS_WRITE = "api_keys:write"  # see, make, rotate and revoke keys
    SETTINGS_READ = "settings:read"  # the owner, its features, accounts and closing words
    SETTINGS_WRITE = "settings:write"
    WEBHOOKS_WRITE = "webhooks:write"  # endpoints, their secrets, the delivery log, replays
    QUARANTINE_WRITE = "quarantine:write"  # see and replay refused webhooks
    SELF = "self"  # one's own account: every signed-in person, and no program
    OWNERS_WRITE = "owners:write"  # create, see and suspend owners: platform keys only


_ROLES: Final[Mapping[Permission, str]] = {
    # permission                        roles of people who have it
    Permission.CONVERSATIONS_READ: "     ADMIN SUPPORT AGENT VIEWER",
    Permission.CONVERSATIONS_WRITE: "    ADMIN SUPPORT AGENT       ",
    Permission.CONVERSATIONS_SUPERVISE: "ADMIN SUPPORT             ",
    Permission.MESSAGES_SEND: "          ADMIN SUPPORT AGENT       ",
    Permission.CONTACTS_READ: "          ADMIN SUPPORT AGENT VIEWER",
    Permission.CONTACTS_WRITE: "         ADMIN SUPPORT AGENT       ",
    Permission.CONTACTS_ERASE: "         ADMIN                     ",
    Permission.LIBRARY_READ: "           ADMIN SUPPORT AGENT VIEWER",
    Permission.LIBRARY_WRITE: "          ADMIN SUPPORT             ",
    Permission.REPORTS_READ: "           ADMIN SUPPORT       VIEWER",
    Permission.EVENTS_READ: "            ADMIN SUPPORT AGENT VIEWER",
    Permission.USERS_READ: "             ADMIN SUPPORT AGENT VIEWER",
    Permission.USERS_WRITE: "            ADMIN                     ",
    Permission.API_KEYS_WRITE: "         ADMIN                     ",
    Permission.SETTINGS_READ: "          ADMIN SUPPORT             ",
    Permission.SETTINGS_WRITE: "         ADMIN                     ",
    Permission.WEBHOOKS_WRITE: "         ADMIN                     ",
    Permission.QUARANTINE_WRITE: "       ADMIN                     ",
    Permission.SELF: "                   ADMIN SUPPORT AGENT VIEWER",
    Permission.OWNERS_WRITE: "                                     ",
}

ROLES: Final[Mapping[Permission, frozenset[UserRole]]] = {
    permission: frozenset(UserRole(name) for name in roles.split()) for permission, roles in _ROLES.items()
}
ALL_SCOPES: Final = "*"
PLATFORM: Final = frozenset({Permission.OWNERS_WRITE, Permission.QUARANTINE_WRITE})
SCOPES: Final = frozenset(Permission) - {Permission.SELF, Permission.OWNERS_WRITE}
"""What an owner's API key can be given."""


def permissions_of_role(role: UserRole) -> frozenset[Permission]:
    return frozenset(permission for permission, roles in ROLES.items() if role in roles)


def permissions_of_scopes(scopes: Iterable[str]) -> frozenset[Permission]:
    """What a key with these scopes may do; a scope that a later version took away means nothing."""
    wanted = set(scopes)
    return SCOPES if ALL_SCOPES in wanted else frozenset(scope for scope in SCOPES if scope in wanted)


def check_scopes(scopes: Iterable[str]) -> None:
    """Raise `InvalidInput`, naming what there is, for a scope that no key can have."""
    known = {ALL_SCOPES, *SCOPES}
    for scope in scopes:
        if scope not in known:
            raise InvalidInput(
                f"There is no scope {scope!r}; there are {', '.join(sorted(known))}.", field="scopes"
            )
