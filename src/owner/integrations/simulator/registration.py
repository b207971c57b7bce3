"""An account as the simulator learns of it."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, field_validator

from owner.integrations.simulator.store import Account, Number
from owner.integrations.simulator.writing import Button

HTTP_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


class Template(BaseModel):
    """An approved template with quick replies."""

    model_config = ConfigDict(extra="forbid")

    body: str
    buttons: list[Button] = Field(default_factory=list)


class Registration(BaseModel):
    """Registering an account again replaces its settings; its messages stay."""

    model_config = ConfigDict(extra="forbid")

    account_sid: str = Field(pattern="^AC")
    auth_token: str = Field(min_length=1)
    secondary_auth_token: str | None = None
    numbers: list[str] = Field(default_factory=list)
    inbound_url: str | None = None
    messaging_service_sid: str | None = None
    advanced_opt_out: bool = False
    templates: dict[str, str | Template] = Field(default_factory=dict)  # by ContentSid; texts have {{1}}

    @field_validator("inbound_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        # Checked but kept as written: the signature covers it letter by letter.
        if url is not None:
            HTTP_URL.validate_python(url)
        return url

    def account(self, *, created_at: datetime) -> Account:
        return Account(
            sid=self.account_sid,
            auth_token=self.auth_token,
            created_at=created_at,
            secondary_auth_token=self.secondary_auth_token,
            inbound_url=self.inbound_url,
            messaging_service_sid=self.messaging_service_sid,
            advanced_opt_out=self.advanced_opt_out,
            numbers={address: Number(address) for address in self.numbers},
            templates={
                sid: given if isinstance(given, str) else given.body for sid, given in self.templates.items()
            },
            buttons={
                sid: given.buttons for sid, given in self.templates.items() if isinstance(given, Template)
            },
        )
