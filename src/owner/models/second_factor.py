"""The second factor: codes of an authenticator, and recovery codes for when it is lost."""

import hashlib
import re
import secrets
from base64 import b32encode
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from owner.models.entity import DTO

RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 15  # 120 bits: nobody guesses them, whoever has the hash
_TOTP: Final = re.compile(r"[0-9]{6}", re.ASCII)
Code = Annotated[str, Field(min_length=6, max_length=40, repr=False, examples=["492039"])]
CurrentPassword = Annotated[str, Field(min_length=1, max_length=1024, repr=False)]


class SecondFactorEnrol(DTO):
    """Who wants a second factor shows the first one again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "correct horse"}]})  # nosec B105 # an example

    password: CurrentPassword


class SecondFactorSecret(DTO):
    """What an authenticator needs; it is shown this once."""

    secret: str = Field(repr=False)
    otpauth_uri: str = Field(repr=False, description="To be shown as a QR code.")


class SecondFactorConfirm(DTO):
    """A code shows that the authenticator works."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "492039"}]})

    code: Code


class RecoveryCodes(DTO):
    """Each signs in once without the authenticator; they are shown this once."""

    recovery_codes: list[str] = Field(repr=False)


class SecondFactorDisable(DTO):
    """Both factors."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": "correct horse", "code": "492039"}]}  # nosec B105 # an example
    )

    password: CurrentPassword
    code: Code = Field(description="Of the authenticator, or a recovery code.")


def new_recovery_code() -> str:
    """Six groups of four letters and digits that nobody confuses."""
    letters = b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def hash_recovery_code(code: str) -> bytes:
    """However a person typed it."""
    return hashlib.sha256(_plain(code).upper().encode(errors="replace")).digest()


def totp_digits(code: str) -> str | None:
    """The six digits, if that is what a person typed."""
    plain = _plain(code)
    return plain if _TOTP.fullmatch(plain) else None


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "")
