"""An account as the simulator learns of it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, field_validator

from owner.integrations.simulator.store import Account, Number, Template
from owner.integrations.simulator.writing import Button

HTTP_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


class TemplateSettings(BaseModel):
    """A template as WhatsApp sees it; a mere text is an approved one."""

    model_config = ConfigDict(extra="forbid")

    body: str
    name: str = ""
    language: str = "pt_BR"
    status: str = "approved"
    category: str = "UTILITY"
    rejection_reason: str = ""
    examples: dict[str, str] = Field(default_factory=dict)
    buttons: list[Button] = Field(default_factory=list)
    kind: str = ""
    more: dict[str, Any] = Field(default_factory=dict)

    def template(self) -> Template:
        return Template(**{name: getattr(self, name) for name in type(self).model_fields})


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
    templates: dict[str, str | TemplateSettings] = Field(
        default_factory=dict
    )  # by ContentSid; texts have {{1}}

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
                sid: Template(given) if isinstance(given, str) else given.template()
                for sid, given in self.templates.items()
            },
        )
