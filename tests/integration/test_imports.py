"""Who starts a process waits for what it imports: nothing heavy is imported that the process does not use."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from databases import new_database, url_of
from owner.cli import COMMANDS
from owner.db.embedded import EmbeddedServer
from owner.services.secrets_box import new_secret_key

SERVE = """
import asyncio, json, sys
from owner.processes import create_app

async def answer_one():
    app = create_app()
    async with app.router.lifespan_context(app) as state:
        sent = []
        request = {"type": "http", "method": "GET", "path": "/health", "raw_path": b"/health", "headers": [],
                   "query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": "",
                   "state": dict(state)}
        async def receive(): return {"type": "http.request", "body": b""}
        async def send(message): sent.append(message)
        await app(request, receive, send)
        assert sent[0]["status"] == 200, sent

asyncio.run(answer_one())
print(json.dumps(sorted(sys.modules)))
"""
WORK = """
import asyncio, json, sys
from owner.processes import work
from owner.settings import get_settings

async def end_at_once():
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    await work(get_settings(), stop=stop)

asyncio.run(end_at_once())
print(json.dumps(sorted(sys.modules)))
"""
HELP = "import json, sys; import owner.cli; print(json.dumps(sorted(sys.modules)))"

MIGRATION = {"alembic", "sqlalchemy", "mako", "psycopg"}
TESTS = {"pytest", "hypothesis", "schemathesis", "mypy"}
OUTSIDE = {"aiohttp", "aiosmtplib", "twilio.rest", "requests", "redis"}


@pytest.fixture
def empty_database(server: EmbeddedServer, template: str) -> Iterator[str]:
    """Where there is nothing to do: a job that other tests left would have the worker call somebody."""
    with new_database(server, f"owner_imports_{uuid4().hex[:8]}", template=template) as name:
        yield name


@pytest.mark.parametrize(
    ("code", "needless"),
    [
        pytest.param(SERVE, MIGRATION | TESTS | OUTSIDE | {"pgqueuer"}, id="serving"),
        pytest.param(WORK, MIGRATION | TESTS | OUTSIDE | {"fastapi", "uvicorn"}, id="working"),
        pytest.param(HELP, MIGRATION | TESTS | OUTSIDE | {"pydantic", "asyncpg", "fastapi"}, id="help"),
    ],
)
def test_a_process_imports_nothing_heavy_that_it_does_not_use(
    code: str, needless: set[str], server: EmbeddedServer, empty_database: str, tmp_path: Path
) -> None:
    settings = {
        "OWNER_HOME": str(tmp_path),
        "OWNER_DATABASE_URL": url_of(server, empty_database),
        "OWNER_SECRET_KEY": new_secret_key(),
    }

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **settings},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert needless & set(json.loads(done.stdout.splitlines()[-1])) == set()


def test_the_help_says_of_each_command_what_the_command_says_of_itself(tmp_path: Path) -> None:
    script = """
import json, typer
from owner.cli import COMMANDS, _load
print(json.dumps({name: _load(name).help for name in COMMANDS}))
"""
    told = json.loads(subprocess.check_output([sys.executable, "-c", script], text=True, cwd=tmp_path))

    assert {name: help_text.splitlines()[0] for name, help_text in told.items()} == COMMANDS
