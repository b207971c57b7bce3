"""People of the company."""

from owner.models.entity import DTO, Entity, Moment
from owner.models.enums import UserRole
from owner.models.owner import Email, OwnerName


class User(Entity):
    """A person who signs in."""

    owner_id: int
    user_id: int
    email: str
    name: str
    role: UserRole
    password_hash: str
    is_active: bool = True
    created_at: Moment
    updated_at: Moment


class UserCreate(DTO):
    """A person to add."""

    email: Email
    name: OwnerName
    role: UserRole = UserRole.AGENT


class UserUpdate(DTO):
    """What may change about a person; null leaves a field as it is."""

    name: OwnerName | None = None
    role: UserRole | None = None
    is_active: bool | None = None


class UserResponse(DTO):
    """A person as the API shows them."""

    user_id: int
    email: str
    name: str
    role: UserRole
    is_active: bool
    created_at: Moment
