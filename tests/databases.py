"""Databases of the run's server, for tests that need one of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from owner.db.embedded import EmbeddedServer, Role


def url_of(server: EmbeddedServer, name: str, role: Role = "owner_service") -> str:
    """The URL of a database of the run's server."""
    return server.url(role).replace("/owner?", f"/{name}?")


@contextmanager
def new_database(server: EmbeddedServer, name: str, *, template: str = "template1") -> Iterator[str]:
    """A database that is gone after the block, with whoever still uses it."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER owner_admin TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield name
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def ask(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query answers, in a transaction of its own."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []
