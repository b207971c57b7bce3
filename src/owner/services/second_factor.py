"""Sets a second factor up, checks its codes, and takes it away."""

from datetime import datetime
from typing import Final

import pyotp
from pyotp.exceptions import OTPVerificationError

from owner.db.database import Connection, Database
from owner.models.access_errors import CodeRejected, SecondFactorActive, SecondFactorMissing
from owner.models.errors import Forbidden
from owner.models.event import NewEvent
from owner.models.permissions import permissions_of_role
from owner.models.principal import Principal
from owner.models.second_factor import (
    RECOVERY_CODES,
    SecondFactorDisable,
    SecondFactorSecret,
    hash_recovery_code,
    new_recovery_code,
    totp_digits,
)
from owner.models.session import Visitor
from owner.models.user import User
from owner.repositories.events import EventRepository
from owner.repositories.recovery_codes import RecoveryCodeRepository
from owner.repositories.users import UserRepository
from owner.services.account import AccountService
from owner.services.ports import Clock, SecretBox
from owner.services.rate_limits import RateLimitService

ISSUER: Final = "Owner"
_WINDOW: Final = 1  # steps of 30 seconds that a clock may be wrong, in either direction


class SecondFactorCodes:
    """Checks codes; one works once."""

    def __init__(self, secrets_box: SecretBox, *, rate_limits: RateLimitService) -> None:
        self.secrets_box = secrets_box
        self.rate_limits = rate_limits

    async def take(self, connection: Connection, user: User, code: str, *, at: datetime) -> bool:
        """Use up a code of a person whose row is locked; say whether it was good. The caller stores the person.

        Raises:
            RateLimited: too many codes of the authenticator were wrong today; recovery codes go on working.
        """
        digits = totp_digits(code)
        if digits is None:
            return await RecoveryCodeRepository(connection).take(user, hash_recovery_code(code))
        return await self.take_totp(user, digits, at=at)

    async def take_totp(self, user: User, digits: str, *, at: datetime) -> bool:
        """As above, for six digits."""
        await self.rate_limits.refuse_code(user)
        is_good = self._take_step(user, digits, at=at)
        if not is_good:
            await self.rate_limits.count_wrong_code(user)
        return is_good

    def _take_step(self, user: User, digits: str, *, at: datetime) -> bool:
        """A step of time whose code was taken, and every one before, is over."""
        if user.totp_secret_encrypted is None:
            return False
        totp = pyotp.TOTP(self.secrets_box.decrypt(user.totp_secret_encrypted))
        try:
            step = totp.verify_and_get_timecode(digits, for_time=at, valid_window=_WINDOW)
        except OTPVerificationError:
            return False
        if user.totp_last_step is not None and step <= user.totp_last_step:
            return False
        user.totp_last_step = step
        return True


class SecondFactorService:
    """The second factor of whoever is signed in, and what an administrator can do when one is lost."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        secrets_box: SecretBox,
        account: AccountService,
        codes: SecondFactorCodes,
    ) -> None:
        self.database = database
        self.clock = clock
        self.secrets_box = secrets_box
        self.account = account
        self.codes = codes

    async def enrol(self, caller: Principal, password: str, visitor: Visitor) -> SecondFactorSecret:
        """A secret for an authenticator; it counts once a code has confirmed it.

        Raises:
            PasswordWrong: it is not the caller's password.
            SecondFactorActive: there is one already.
        """
        user = await self.account.check_password(caller, password, visitor, field="password")
        secret = pyotp.random_base32()
        async with self.database.owner(caller.owner_id) as connection:
            users = UserRepository(connection)
            user = await users.get(user.user_id, for_update=True)
            if user.has_second_factor:
                raise SecondFactorActive
            user.totp_secret_encrypted = self.secrets_box.encrypt(secret)
            user.totp_last_step = None
            await users.save(user)
        uri = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)
        return SecondFactorSecret(secret=secret, otpauth_uri=uri)

    async def confirm(self, caller: Principal, code: str) -> list[str]:
        """Switch the second factor on; returns the recovery codes.

        Raises:
            SecondFactorMissing, SecondFactorActive: there is nothing to confirm.
            CodeRejected: the authenticator shows another code.
            RateLimited: too many codes were wrong today.
        """
        now = self.clock.now()
        recovery_codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
        async with self.database.owner(caller.owner_id) as connection:
            user = await UserRepository(connection).get(caller.signed_in_user_id, for_update=True)
            if user.has_second_factor:
                raise SecondFactorActive
            if user.totp_secret_encrypted is None:
                raise SecondFactorMissing
            if not await self.codes.take_totp(user, totp_digits(code) or "", at=now):
                raise CodeRejected(field="code")
            user.totp_confirmed_at = now
            await UserRepository(connection).save(user)
            hashes = [hash_recovery_code(one) for one in recovery_codes]
            await RecoveryCodeRepository(connection).replace(user, hashes)
            await _note(connection, caller, user, "user.second_factor_enabled")
        return recovery_codes

    async def disable(self, caller: Principal, disable: SecondFactorDisable, visitor: Visitor) -> None:
        """Switch one's own second factor off, by both factors.

        Raises:
            PasswordWrong, CodeRejected: one of them is wrong.
            SecondFactorMissing: there is none.
        """
        user = await self.account.check_password(caller, disable.password, visitor, field="password")
        async with self.database.owner(caller.owner_id) as connection:
            user = await UserRepository(connection).get(user.user_id, for_update=True)
            if not user.has_second_factor:
                raise SecondFactorMissing
            if not await self.codes.take(connection, user, disable.code, at=self.clock.now()):
                raise CodeRejected(field="code")
            await _take_away(connection, caller, user)

    async def reset(self, caller: Principal, user_id: int) -> None:
        """Take another person's second factor away, because it is lost; without one nothing changes.

        Raises:
            Forbidden: it is the caller's own, for which both factors are needed.
            PermissionMissing: the person may more than the caller.
        """
        if caller.user_id == user_id:
            raise Forbidden("Your own second factor is switched off with your password and a code.")
        async with self.database.owner(caller.owner_id) as connection:
            user = await UserRepository(connection).get(user_id, for_update=True)
            caller.require_all(permissions_of_role(user.role))
            if user.totp_secret_encrypted is not None:
                await _take_away(connection, caller, user)


async def _take_away(connection: Connection, caller: Principal, user: User) -> None:
    user.totp_secret_encrypted = user.totp_confirmed_at = user.totp_last_step = None
    await UserRepository(connection).save(user)
    await RecoveryCodeRepository(connection).replace(user, [])
    await _note(connection, caller, user, "user.second_factor_disabled")


async def _note(connection: Connection, caller: Principal, user: User, event_type: str) -> None:
    event = NewEvent(event_type, caller.actor, data={"user_id": user.user_id})
    await EventRepository(connection).add_all(user.owner_id, [event])
