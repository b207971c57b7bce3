"""Helps people who forgot their password, without telling anybody who has an account."""

from owner.db.database import Database
from owner.logs import get_logger
from owner.models.access_errors import OwnerChoiceRequired, UserNotFound
from owner.models.one_time_link import LinkPurpose, LinkResponse
from owner.models.session import Visitor
from owner.models.user import hash_email
from owner.repositories.directory import Directory, Key
from owner.repositories.jobs import JobRepository
from owner.repositories.users import UserRepository
from owner.services.password_links import PasswordLinkService
from owner.services.rate_limits import RateLimitService

log = get_logger(__name__)


class PasswordResetService:
    """Links for people who forgot their password."""

    def __init__(
        self, database: Database, *, links: PasswordLinkService, rate_limits: RateLimitService
    ) -> None:
        self.database = database
        self.links = links
        self.rate_limits = rate_limits

    @property
    def can_mail(self) -> bool:
        """Whether there is a mail server; elsewhere the operator makes the link."""
        return self.links.mailer is not None

    async def ask(self, email: str, visitor: Visitor) -> None:
        """Have a worker look for people with this e-mail: here, all e-mails are treated alike.

        Raises:
            RateLimited: too many wishes for this e-mail, or from there.
        """
        await self.rate_limits.count_password_reset(email=email, address=visitor.address)
        async with self.database.system() as connection:
            await JobRepository(connection).enqueue(
                "password_reset_asked", email_hash=hash_email(email).hex()
            )

    async def answer(self, email_hash: str) -> None:
        """Give each person with this e-mail a mail of their own, so that one that fails holds up no other."""
        if not self.can_mail:
            log.warning("password_reset_without_mail", advice="set OWNER_SMTP_URL")
            return
        async with self.database.system() as connection:
            for key in await Directory(connection).users_by_email(bytes.fromhex(email_hash)):
                await JobRepository(connection).enqueue(
                    "link_wanted", owner_id=key.owner_id, user_id=key.id, purpose=LinkPurpose.PASSWORD_RESET
                )

    async def make_link(self, email: str, *, owner_id: int | None = None) -> LinkResponse:
        """A link for the operator to hand on.

        Raises:
            UserNotFound: nobody has this e-mail, at this company if one was named.
            OwnerChoiceRequired: people of several companies have it.
        """
        key = await self._one_person(email, owner_id)
        async with self.database.owner(key.owner_id) as connection:
            user = await UserRepository(connection).get(key.id, for_update=True)
            return await self.links.make(connection, user, LinkPurpose.PASSWORD_RESET)

    async def _one_person(self, email: str, owner_id: int | None) -> Key:
        async with self.database.system() as connection:
            keys = await Directory(connection).users_by_email(hash_email(email))
        found = [key for key in keys if owner_id is None or key.owner_id == owner_id]
        if not found:
            raise UserNotFound("There is no person with this e-mail.", field="email")
        if len(found) > 1:
            ids = ", ".join(str(key.owner_id) for key in found)
            raise OwnerChoiceRequired(
                f"People of the owners {ids} have this e-mail: name one.", field="owner"
            )
        return found[0]
