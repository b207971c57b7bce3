"""`owner demo` as a newcomer meets it: it plays, it comes back, it leaves nothing behind."""

import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil
import psycopg
import pytest

from e2e.stage import HOST, Program, address_of, free_port, listening, until
from owner.db.embedded import EmbeddedServer

STORY = (
    "● PENDING",
    "● PROGRESS",
    "✓✓",
    "closure (",
    "CLOSE",
    "● USER_CLOSED",
    "delivered twice by Twilio, stored once",
    "403, and kept in quarantine",
    "contact_opted_out",
    "Every step was seen in the database.",
)
STAYS_UP = "It keeps running."


class Demo:
    """One data folder and the demos that use it, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.programs: list[Program] = []

    def start(self, *options: str) -> Program:
        return self._run("demo", *options)

    async def play(self) -> Program:
        """From the start to the end of the play."""
        program = self.start("--exit", "--port", str(free_port()))
        await program.exit_code()
        return program

    async def admin_url(self) -> str:
        """Of the embedded database, which then stays up."""
        program = self._run("db", "url", "--admin")
        assert await program.exit_code() == 0, program.output
        return program.output.strip()

    async def migrate(self) -> None:
        program = self._run("migrate")
        assert await program.exit_code() == 0, program.output

    def postgres(self) -> list[psutil.Process]:
        """The processes of the embedded server; none when it is down."""
        pid_file = self.home / "postgres" / "postmaster.pid"
        if not pid_file.exists():
            return []
        with suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
            return [postmaster, *postmaster.children(recursive=True)]
        return []

    def _run(self, *arguments: str) -> Program:
        program = Program(*arguments, env={"OWNER_HOME": str(self.home)}, folder=self.folder)
        self.programs.append(program)
        return program


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    played = Demo(tmp_path)
    yield played
    for program in played.programs:
        program.destroy()
    if played.home.exists():
        EmbeddedServer(played.home).stop()
    for process in played.postgres():
        process.kill()


async def test_the_play_tells_its_story_and_a_second_one_finds_the_data_of_the_first(demo: Demo) -> None:
    first = await demo.play()
    assert first.process.returncode == 0, first.output
    tenant = (demo.home / "demo.json").read_text()
    second = await demo.play()

    assert [words for words in STORY if words not in first.output] == []
    assert second.process.returncode == 0, second.output
    assert (demo.home / "demo.json").read_text() == tenant
    assert _newest_conversation(second) > _newest_conversation(first)
    assert demo.postgres() == []


async def test_a_demo_takes_another_port_and_leaves_nothing_running_after_ctrl_c(demo: Demo) -> None:
    with listening() as taken:
        port = address_of(taken).rpartition(":")[2]
        running = demo.start("--port", port)
        await running.says(STAYS_UP)
        [url] = re.findall(r"Health\s+(\S+)/health", running.output)
        async with aiohttp.ClientSession() as session, session.get(f"{url}/health") as answer:
            health = answer.status
        family = [psutil.Process(running.pid), *running.children(), *demo.postgres()]
        exit_code = await running.end(signal.SIGINT)

    assert url.startswith(f"http://{HOST}:")
    assert not url.endswith(f":{port}")
    assert health == 200
    assert len(family) > 3
    assert exit_code == 0
    await until(lambda: not any(map(_is_alive, family)), "all of it has ended", within=10)


async def test_a_killed_demo_starts_again_with_its_data(demo: Demo) -> None:
    running = demo.start("--port", str(free_port()))
    await running.says(STAYS_UP)
    running.kill()

    again = await demo.play()

    assert again.process.returncode == 0, again.output
    assert _newest_conversation(again) > _newest_conversation(running)
    assert demo.postgres() == []


async def test_a_step_that_fails_is_named_and_ends_with_1(demo: Demo) -> None:
    with psycopg.connect(await demo.admin_url(), autocommit=True) as connection:
        await demo.migrate()
        connection.execute(
            """
            CREATE FUNCTION nobody_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'nobody leaves'; END $$;
            CREATE TRIGGER nobody_leaves BEFORE UPDATE ON conversations FOR EACH ROW
            WHEN (NEW.status = 'USER_CLOSED') EXECUTE FUNCTION nobody_leaves();
            """
        )

    failed = await demo.play()

    assert failed.process.returncode == 1, failed.output
    step = "the webhook of «Não, era só isso. Muito obrigada, tchau!» is answered 200."
    assert failed.output.splitlines()[-1] == f"✗ Did not happen: {step}"


def _newest_conversation(program: Program) -> int:
    return max(map(int, re.findall(r"conversation (\d+)", program.output)))


def _is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
