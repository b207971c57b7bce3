"""Who is calling, for which owner, and what they may do."""

from dataclasses import dataclass
from typing import Final

from owner.models.enums import ActorKind, UserRole
from owner.models.errors import PermissionMissing
from owner.models.event import Actor
from owner.models.permissions import Permission

ONLY_PEOPLE: Final = "Only somebody who signed in can do this; a key can't."


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose key or session was found good. `owner_id` is 0 for the platform's own keys."""

    owner_id: int
    actor: Actor
    permissions: frozenset[Permission]
    role: UserRole | None = None  # of a person; programs have scopes instead
    session_id: int | None = None

    @property
    def user_id(self) -> int | None:
        """The person who is signed in; None for a program."""
        return self.actor.id if self.actor.kind is ActorKind.USER else None

    @property
    def signed_in_user_id(self) -> int:
        """The person who is signed in; raises `PermissionMissing` for a program, which has no account."""
        if self.user_id is None:
            raise PermissionMissing(Permission.SELF, ONLY_PEOPLE)
        return self.user_id

    @property
    def is_platform(self) -> bool:
        return self.owner_id == 0

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise `PermissionMissing`, naming the permission, unless the caller has it."""
        if not self.may(permission):
            raise PermissionMissing(permission, ONLY_PEOPLE if permission is Permission.SELF else None)

    def require_all(self, permissions: frozenset[Permission]) -> None:
        """Raise `PermissionMissing` if the caller is about to give somebody more than it has itself.

        One's own account is left out: people have it and programs don't, whoever lets them in.
        """
        missing = sorted(permissions - self.permissions - {Permission.SELF})
        if missing:
            raise PermissionMissing(
                missing[0], f"Nobody can give what they don't have: the permission {missing[0]}."
            )
