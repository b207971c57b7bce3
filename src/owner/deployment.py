"""Which database and which keys the settings mean: our own where they name none."""

from typing import TYPE_CHECKING

from owner.integrations.key_file import own_secret_key
from owner.models.errors import Misconfigured
from owner.settings import Settings

if TYPE_CHECKING:
    from owner.db.embedded import EmbeddedServer


def embedded_server(settings: Settings) -> "EmbeddedServer":
    from owner.db.embedded import EmbeddedServer

    return EmbeddedServer(settings.home)


def application_url(settings: Settings) -> str:
    """The URL of the application's role; the embedded server's where none is set."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return embedded_server(settings).url("owner_service")


def listen_url(settings: Settings) -> str:
    """The URL for LISTEN, which a transaction pooler can't do."""
    if settings.listen_database_url is not None:
        return settings.listen_database_url.get_secret_value()
    return application_url(settings)


def migration_url(settings: Settings) -> str:
    """The URL of the migration role.

    Raises:
        Misconfigured: the database is external and nothing says who migrates it.
    """
    if settings.admin_database_url is not None:
        return settings.admin_database_url.get_secret_value()
    if settings.database_url is not None:
        raise Misconfigured(
            "OWNER_DATABASE_URL is set but OWNER_ADMIN_DATABASE_URL is not: name a role that may create tables and roles.",
            field="OWNER_ADMIN_DATABASE_URL",
        )
    return embedded_server(settings).url("owner_admin")


def secret_keys(settings: Settings) -> list[str]:
    """The encryption keys, newest first; the embedded default makes one for itself.

    Raises:
        Misconfigured: the database is external and there is no key.
    """
    if settings.secret_key is not None:
        keys = [key.strip() for key in settings.secret_key.get_secret_value().split(",")]
        return [key for key in keys if key]
    if not settings.uses_embedded_database:
        raise Misconfigured(
            "OWNER_SECRET_KEY is not set: make one with `owner secrets generate` and keep it as safe as the database.",
            field="OWNER_SECRET_KEY",
        )
    return own_secret_key(settings.home / "secret.key")
