"""People of the company."""

import hashlib
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StrictBool

from owner.models.entity import DTO, Entity, Moment, Update, absent
from owner.models.enums import UserRole
from owner.models.one_time_link import LinkResponse
from owner.models.owner import Email, OwnerName, Password
from owner.models.permissions import Permission, permissions_of_role


class User(Entity):
    """A person who signs in."""

    owner_id: int
    user_id: int
    email: str
    email_hash: bytes  # kept by the database
    name: str
    role: UserRole
    password_hash: str | None = Field(repr=False)  # None until an invitation is accepted
    is_active: bool = True
    totp_secret_encrypted: bytes | None = None
    totp_confirmed_at: Moment | None = None
    totp_last_step: int | None = None
    created_at: Moment
    updated_at: Moment

    @property
    def is_invited(self) -> bool:
        """Whether they have yet to choose a password."""
        return self.password_hash is None

    @property
    def has_second_factor(self) -> bool:
        return self.totp_confirmed_at is not None

    @property
    def may_have_conversations(self) -> bool:
        """Whether conversations can be theirs: they sign in, and write to customers."""
        may_write = Permission.MESSAGES_SEND in permissions_of_role(self.role)
        return self.is_active and not self.is_invited and may_write

    @property
    def keeps_the_company_going(self) -> bool:
        """Whether they can configure it: without such a person nobody could be let in any more."""
        return self.is_active and self.role is UserRole.ADMIN and not self.is_invited

    def change(self, update: "UserUpdate", *, at: datetime) -> dict[str, object]:
        """Take over what is given; returns what really changed."""
        changed = {field: value for field, value in update.changes().items() if value != getattr(self, field)}
        for field, value in changed.items():
            setattr(self, field, value)
        if changed:
            self.updated_at = at
        return changed

    def set_password(self, password_hash: str, *, at: datetime) -> None:
        self.password_hash = password_hash
        self.updated_at = at


def hash_email(email: str) -> bytes:
    """What the directory knows of an e-mail; the database computes the same."""
    return hashlib.sha256(email.encode()).digest()


class UserCreate(DTO):
    """A person to invite."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "bruno@acme.example", "name": "Bruno", "role": "AGENT"}]}
    )

    email: Email
    name: OwnerName
    role: UserRole = UserRole.AGENT


class UserUpdate(Update):
    """What may change about a person; a field that is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "SUPPORT"}, {"is_active": False}]})

    name: OwnerName = Field(default_factory=absent)
    role: UserRole = Field(default_factory=absent)
    is_active: StrictBool = Field(
        default_factory=absent, description="False ends their sessions and lets them in no more."
    )


class UserResponse(DTO):
    """A person as the API shows them."""

    user_id: int
    email: str
    name: str
    role: UserRole
    is_active: bool
    is_invited: bool = Field(description="Has not chosen a password yet.")
    has_second_factor: bool
    created_at: Moment
    updated_at: Moment


class UserInvited(UserResponse):
    """A person who was invited just now."""

    invitation: LinkResponse | None = Field(
        description="The link to hand to the person; null where it is sent by e-mail."
    )


class PasswordChange(DTO):
    """A new password, by the present one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"current_password": "correct horse", "new_password": "a better horse"}]  # nosec B105 # an example
        }
    )

    current_password: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    new_password: Password
