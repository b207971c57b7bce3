"""Everything that can be set from outside, read once from the environment or `.env`."""

import os
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_home() -> Path:
    """The data folder: below `/var/lib` for root, because others can't enter root's own home."""
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/owner")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "owner"


class Settings(BaseSettings):
    """One frozen object; `bootstrap` reads it and hands plain values on."""

    model_config = SettingsConfigDict(
        env_prefix="OWNER_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Field(default_factory=default_home)
    database_url: SecretStr | None = None  # the application's role; unset means the embedded server
    admin_database_url: SecretStr | None = None  # the migration role
    listen_database_url: SecretStr | None = None  # a direct connection, where the other one is a pooler's
    database_pool_size: int = Field(default=10, ge=2)
    public_url: str | None = None  # what Twilio signs; unset means the address that `serve` listens on
    secret_key: SecretStr | None = None  # Fernet keys, comma-separated, newest first
    twilio_api_url: str = "https://api.twilio.com"
    send_rate_sms: float = Field(default=10.0, gt=0)  # messages a second, sender and worker process
    send_rate_whatsapp: float = Field(default=80.0, gt=0)
    sends_at_once: int = Field(default=100, ge=4)  # calls to Twilio under way, of one worker
    quarantine_per_hour: int = Field(default=1_000, ge=0)
    quarantine_kept_days: int = Field(default=30, ge=30)  # then whole months go, here and below
    events_kept_days: int = Field(default=400, ge=30)
    webhook_deliveries_kept_days: int = Field(default=90, ge=30)
    webhook_allowed_networks: str = ""  # CIDRs, comma-separated: private networks that webhooks may go to
    trusted_proxies: str = ""  # addresses and networks, comma-separated, whose X-Forwarded-For is believed
    smtp_url: SecretStr | None = (
        None  # mails invitations and reset links; unset means that people hand them on
    )
    redis_url: SecretStr | None = None  # shared limits; unset means that each process counts for itself
    rate_limit_key_per_minute: int = Field(default=1_200, ge=0)  # requests; 0 turns a limit off
    rate_limit_owner_per_minute: int = Field(default=6_000, ge=0)
    rate_limit_messages_per_day: int = Field(default=0, ge=0)  # to customers, for each owner
    rate_limit_sign_in_per_ip: int = Field(default=20, ge=0)  # tries in 5 minutes
    rate_limit_sign_in_per_email: int = Field(default=10, ge=0)  # tries in 15 minutes
    rate_limit_password_reset: int = Field(default=5, ge=0)  # links in 30 minutes
    streams_per_caller: int = Field(
        default=250, ge=0
    )  # event streams open in one process, of a key or person
    streams_per_owner: int = Field(default=1_000, ge=0)
    drain_seconds: float = Field(default=1.0, ge=0)  # between SIGTERM and the end of listening
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "console", "json"] = "auto"

    @field_validator("public_url", "twilio_api_url")
    @classmethod
    def _whole_address(cls, value: str | None) -> str | None:
        """Without a slash at its end; half an address would be signed, and every webhook refused, without a word."""
        parts = urlsplit(value or "https://unset")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("This is no address like https://owner.example.com")
        return value.rstrip("/") if value else None

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def uses_embedded_database(self) -> bool:
        return self.database_url is None

    @property
    def media_folder(self) -> Path:
        return self.home / "media"


@cache
def get_settings() -> Settings:
    return Settings()
