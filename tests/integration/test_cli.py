"""The commands as a person runs them: processes of their own, with the embedded server and with another one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from databases import ask, new_database, url_of
from owner import __version__
from owner.db.embedded import EmbeddedServer, bin_dir
from owner.db.revisions import head_revision, known_revisions
from owner.services.secrets_box import new_secret_key

CONNECT = ("twilio", "connect", "--auth-token", "a-token-nobody-sees")


@dataclass(frozen=True)
class Place:
    """Where commands run: a data folder and what the environment says."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def with_settings(self, **settings: str) -> "Place":
        return Place(self.folder, {**self.settings, **settings})

    def environment(self) -> dict[str, str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("OWNER_")}
        return {**outside, "OWNER_HOME": str(self.home), "OWNER_LOG_LEVEL": "ERROR", **self.settings}

    def run(self, *words: str | Path, typed: str | None = None) -> "subprocess.CompletedProcess[str]":
        finished = subprocess.run(
            [sys.executable, "-m", "owner", *words],
            check=False,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env=self.environment(),
        )
        assert "Traceback" not in finished.stderr + finished.stdout, finished.stderr
        return finished

    def say(self, *words: str) -> str:
        """What a command that goes well prints."""
        finished = self.run(*words)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout.strip()

    def make_tenant(self, email: str) -> dict[str, Any]:
        answer = self.say(
            "tenant", "create", "acme", "--email", email, "--password", "correct horse", "--json"
        )
        tenant: dict[str, Any] = json.loads(answer)
        return tenant

    def refuses(self, *words: str) -> str:
        """The one sentence of a command that does not go well."""
        finished = self.run(*words)
        assert finished.returncode == 1
        sentence = finished.stderr.strip()
        assert "\n" not in sentence
        assert sentence.startswith("owner: ")
        return sentence.removeprefix("owner: ")

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        log = (self.folder / "output.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "owner", *words],
            cwd=self.folder,
            env=self.environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
            process.wait()
            log.close()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Nothing is configured but the data folder."""
    place = Place(tmp_path_factory.mktemp("embedded"))
    yield place
    EmbeddedServer(place.home).stop()
    shutil.rmtree((place.home / "postgres").resolve(), ignore_errors=True)


@pytest.fixture(scope="module")
def external(
    server: EmbeddedServer, template: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A database of somebody else's server, migrated, with a key."""
    with new_database(server, f"cli_{worker_id}", template=template) as name:
        settings = {
            "OWNER_DATABASE_URL": url_of(server, name),
            "OWNER_ADMIN_DATABASE_URL": url_of(server, name, "owner_admin"),
            "OWNER_SECRET_KEY": new_secret_key(),
            "OWNER_PUBLIC_URL": "https://owner.example/",
        }
        yield Place(tmp_path_factory.mktemp("external"), settings)


def test_the_first_command_on_a_new_machine_makes_a_tenant(embedded: Place) -> None:
    tenant = embedded.make_tenant("ana@example.com")

    assert list(tenant) == ["owner_id", "user_id", "api_key"]
    assert (tenant["owner_id"], tenant["user_id"]) == (1, 1)
    assert (embedded.home / "secret.key").stat().st_mode & 0o777 == 0o600
    assert not EmbeddedServer(embedded.home).is_running()


def test_the_database_is_reached_by_psql_and_stays_up_until_it_is_stopped(embedded: Place) -> None:
    for words, role in ((("db", "url"), "owner_service"), (("db", "url", "--admin"), "owner_admin")):
        url = embedded.say(*words)
        psql: list[str | Path] = [bin_dir() / "psql", url, "-Atc", "SELECT current_user"]
        assert subprocess.check_output(psql, text=True).strip() == role

    assert EmbeddedServer(embedded.home).is_running()
    assert "stopped" in embedded.say("db", "stop")
    assert not EmbeddedServer(embedded.home).is_running()


def test_the_shell_shows_the_rows_of_the_owner_that_was_named(embedded: Place) -> None:
    tenant = embedded.make_tenant("bruno@example.com")
    question = ("-At", "-c", "SELECT count(*) FROM owners")

    assert embedded.say("db", "shell", "--owner", str(tenant["owner_id"]), *question) == "1"
    assert embedded.say("db", "shell", *question) == "0"


def test_serve_brings_its_database_and_a_signal_ends_all_of_it(embedded: Place) -> None:
    port = free_port()
    with embedded.running("serve", "--port", str(port)) as process:
        health = wait_for_health(port, process)
        processes = family_of(process)
        assert EmbeddedServer(embedded.home).is_running()

        process.send_signal(signal.SIGTERM)

        assert process.wait(40) == 0, output_of(embedded)
        assert still_running(processes) == []
        assert not EmbeddedServer(embedded.home).is_running()
    assert (health["status"], health["revision"]) == ("ok", head_revision())


def test_serve_with_workers_answers_and_works_and_a_signal_ends_all_of_it(external: Place) -> None:
    ask(external.settings["OWNER_ADMIN_DATABASE_URL"], "DELETE FROM jobs.pgqueuer_schedules")
    port = free_port()
    with external.running("serve", "--port", str(port), "--workers", "2", "--with-worker") as process:
        wait_for_health(port, process)
        wait_for_schedules(external)
        processes = family_of(process)
        assert len(processes) >= 4

        process.send_signal(signal.SIGTERM)

        assert process.wait(40) == 0, output_of(external)
        assert still_running(processes) == []


def test_one_server_with_a_worker_ends_both(external: Place) -> None:
    ask(external.settings["OWNER_ADMIN_DATABASE_URL"], "DELETE FROM jobs.pgqueuer_schedules")
    port = free_port()
    with external.running("serve", "--port", str(port), "--with-worker") as process:
        wait_for_health(port, process)
        wait_for_schedules(external)
        processes = family_of(process)

        process.send_signal(signal.SIGINT)

        assert process.wait(40) in {0, 130}, output_of(external)
        assert still_running(processes) == []


def test_work_runs_the_schedules_until_a_signal(external: Place) -> None:
    ask(external.settings["OWNER_ADMIN_DATABASE_URL"], "DELETE FROM jobs.pgqueuer_schedules")
    with external.running("work") as process:
        wait_for_schedules(external)
        processes = family_of(process)

        process.send_signal(signal.SIGTERM)

        assert process.wait(40) == 0, output_of(external)
        assert still_running(processes) == []


@pytest.fixture(scope="module")
def owner_id(external: Place) -> str:
    return str(external.make_tenant("bruno@example.com")["owner_id"])


def test_connecting_an_account_prints_its_urls_and_calls_twilio_only_to_verify(
    external: Place, owner_id: str
) -> None:
    with counting_connections() as (url, connections):
        place = external.with_settings(OWNER_TWILIO_API_URL=url)
        words = (*CONNECT, "--owner", owner_id, "--account-sid", "AC" + "1" * 32)
        numbers = ("--number", "+551150284400", "--number", "whatsapp:+551150284400")

        answer = json.loads(place.say(*words, *numbers, "--json"))

        assert connections == []
        assert list(answer) == ["twilio_account_id", "inbound_url", "status_url"]
        assert answer["inbound_url"].startswith("https://owner.example/webhooks/twilio/")
        assert answer["inbound_url"].removesuffix("inbound") == answer["status_url"].removesuffix("status")
        assert "a-token-nobody-sees" not in place.refuses(*words, *numbers, "--verify")
        assert connections != []
        assert json.loads(place.say(*words, *numbers, "--json")) == answer


def test_whoever_copies_a_url_is_told_that_it_leads_nowhere_without_a_public_one(
    external: Place, owner_id: str
) -> None:
    words = (
        *CONNECT,
        "--owner",
        owner_id,
        "--account-sid",
        "AC" + "5" * 32,
        "--number",
        "+551150284412",
        "--json",
    )

    here = external.with_settings(OWNER_PUBLIC_URL="").run(*words)
    anywhere = external.run(*words)

    assert "OWNER_PUBLIC_URL is not set" in here.stderr
    assert json.loads(here.stdout)["inbound_url"].startswith("http://127.0.0.1:8000/")
    assert (anywhere.returncode, anywhere.stderr) == (0, "")


def test_who_forgot_the_password_gets_a_link_from_the_operator(external: Place, owner_id: str) -> None:
    link = json.loads(external.say("user", "reset-password", "--email", "Bruno@example.com", "--json"))
    named = external.say("user", "reset-password", "--email", "bruno@example.com", "--owner", owner_id)

    assert link.keys() == {"url", "token", "expires_at"}
    assert link["url"] == f"https://owner.example/inbox/password?token={link['token']}"
    assert "https://owner.example/inbox/password?token=" in named
    assert external.refuses("user", "reset-password", "--email", "eve@example.com") == (
        "There is no person with this e-mail."
    )
    assert external.refuses("user", "reset-password", "--email", "eve").startswith("--email: ")


def test_platform_keys_are_made_listed_and_revoked(external: Place) -> None:
    made = json.loads(external.say("platform-key", "create", "billing", "--json"))
    listed = external.say("platform-key", "list")
    revoked = external.say("platform-key", "revoke", str(made["platform_key_id"]))

    assert made.keys() == {"platform_key_id", "platform_key"}
    assert made["platform_key"].startswith("op_")
    assert "billing" in listed
    assert made["platform_key"] not in listed
    assert revoked == f"Platform key {made['platform_key_id']} is revoked."
    assert external.refuses("platform-key", "revoke", "12345") == "There is no platform key 12345."
    assert external.refuses("platform-key", "create", "  ").startswith("--name: ")


def test_a_tenant_is_taken_along_erased_and_brought_in_again(external: Place) -> None:
    owner_id = str(external.make_tenant("carla@example.com")["owner_id"])
    file = external.folder / "tenant.jsonl"

    external.say("tenant", "export", owner_id, "--output", str(file))
    erased = external.run("tenant", "erase", owner_id, typed="acme\n")
    imported = external.say("tenant", "import", str(file))
    taken = external.refuses("tenant", "import", str(file))

    assert file.stat().st_mode & 0o777 == 0o600
    assert erased.returncode == 0
    assert imported == owner_id
    assert taken.startswith(f"There is an owner {owner_id} already")


def test_nothing_is_erased_without_the_owners_name(external: Place, owner_id: str) -> None:
    shown = external.say("tenant", "erase", owner_id, "--dry-run")
    refused = external.run("tenant", "erase", owner_id, typed="globex\n")

    assert "api_keys" in shown
    assert refused.returncode == 1
    assert "nothing was erased" in refused.stderr
    assert json.loads(external.say("tenant", "export", owner_id).splitlines()[0])["owner_id"] == int(owner_id)


def test_an_export_that_fails_leaves_no_file_and_a_broken_file_tells_its_line(
    external: Place, owner_id: str
) -> None:
    missing = external.folder / "missing.jsonl"
    broken = external.folder / "broken.jsonl"
    broken.write_text('{"format": "owner-tenant", "version": 9}\n')

    nobody = external.refuses("tenant", "export", "999999", "--output", str(missing))
    nowhere = external.refuses("tenant", "export", owner_id, "--output", "/nowhere/at-all")
    wrong = external.refuses("tenant", "import", str(broken))

    assert nobody == "There is no owner 999999."
    assert list(external.folder.glob("*missing*")) == []
    assert nowhere == "/nowhere/at-all can't be written: No such file or directory."
    assert wrong == "Line 1: the file has format version 9, this program reads 1."


def test_secrets_are_rotated_to_the_newest_key_and_then_the_former_may_go(
    external: Place, owner_id: str
) -> None:
    former, newest = external.settings["OWNER_SECRET_KEY"], external.say("secrets", "generate")
    external.say(*CONNECT, "--owner", owner_id, "--account-sid", "AC" + "2" * 32, "--number", "+551150284409")

    rotated = external.with_settings(OWNER_SECRET_KEY=f"{newest}, {former}").say("secrets", "rotate")

    assert rotated.startswith("Secrets that now use the newest key: ")
    assert external.with_settings(OWNER_SECRET_KEY=newest).say("secrets", "rotate") == rotated
    assert external.refuses("secrets", "rotate") == (
        "A stored secret was encrypted with a key that is not in OWNER_SECRET_KEY: add the former key at the end."
    )


def test_the_schema_goes_down_and_up_and_an_old_one_is_refused_with_what_to_do(external: Place) -> None:
    before, head = known_revisions()[-2:]
    outdated = f"The database is at revision {before}, this program needs {head}: run `owner migrate`."
    try:
        assert external.say("migrate", "down") == f"The database is at revision {before}."
        assert external.refuses("serve", "--port", str(free_port())) == outdated
        examined = external.run("doctor")
        assert examined.returncode == 1
        assert outdated in examined.stdout.replace("\n", " ")
    finally:
        assert external.say("migrate", "up", head) == f"The database is at revision {head}."

    assert external.run("doctor").returncode == 0


def test_doctor_says_what_is_wrong_with_each_part(external: Place) -> None:
    admins = external.with_settings(
        OWNER_DATABASE_URL=external.settings["OWNER_ADMIN_DATABASE_URL"], OWNER_SECRET_KEY="too short"
    )

    examined = admins.run("doctor")

    assert examined.returncode == 1
    lines = examined.stdout.splitlines()
    assert [line[0] for line in lines] == ["✗", "✓", "✓", "✓", "✗", "✓"], examined.stdout
    assert "make one with `owner secrets generate`" in lines[0]
    assert "owns the tables" in lines[4]


def test_doctor_says_whether_live_events_can_be_heard(external: Place) -> None:
    nobody = external.with_settings(
        OWNER_LISTEN_DATABASE_URL=f"postgresql://owner_service@127.0.0.1:{free_port()}/owner"
    )

    examined = nobody.run("doctor")

    assert examined.returncode == 1
    assert "✓ live events: fine" in external.run("doctor").stdout
    assert "✗ live events: OWNER_LISTEN_DATABASE_URL does not do for LISTEN" in examined.stdout


def test_serve_refuses_a_role_that_sees_every_owner(external: Place) -> None:
    admins = external.with_settings(OWNER_DATABASE_URL=external.settings["OWNER_ADMIN_DATABASE_URL"])

    sentence = admins.refuses("serve", "--port", str(free_port()))

    assert sentence.startswith("The database role owner_admin owns the tables")
    assert "Put a plain LOGIN role into OWNER_DATABASE_URL" in sentence


def test_a_taken_port_is_refused(external: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        sentence = external.refuses("serve", "--port", str(port))

    assert sentence.startswith(f"Can't listen on 127.0.0.1:{port} (Address already in use)")
    assert sentence.endswith("choose another with --port.")


@pytest.mark.parametrize(
    ("setting", "words", "sentence"),
    [
        (
            {"OWNER_SECRET_KEY": ""},
            "work",
            "OWNER_SECRET_KEY is not set: make one with `owner secrets generate`",
        ),
        ({"OWNER_DATABASE_URL": "postgresql://ana@127.0.0.1:1/x"}, "work", "The database can't be reached ("),
        (
            {"OWNER_ADMIN_DATABASE_URL": "postgresql://ana@127.0.0.1:1/x"},
            "migrate",
            "The database can't be reached: ",
        ),
        (
            {"OWNER_ADMIN_DATABASE_URL": ""},
            "migrate",
            "OWNER_DATABASE_URL is set but OWNER_ADMIN_DATABASE_URL is not",
        ),
        ({"OWNER_DATABASE_URL": "nonsense"}, "migrate", "This is no database URL: OWNER_DATABASE_URL."),
        ({"OWNER_LOG_LEVEL": "LOUD"}, "doctor", "OWNER_LOG_LEVEL: Input should be 'DEBUG', 'INFO'"),
        (
            {"OWNER_PUBLIC_URL": "owner.example.com"},
            "doctor",
            "OWNER_PUBLIC_URL: This is no address like https://",
        ),
        (
            {"OWNER_TWILIO_API_URL": "https://api.example.com/?a=1"},
            "doctor",
            "OWNER_TWILIO_API_URL: This is no address",
        ),
        ({}, "reconcile --since 2999-01-01", "The moment to compare from is yet to come."),
        ({}, "migrate down 99", "There is no revision 99; there are 0001, "),
        (
            {},
            "tenant create acme --email ana --password long-enough",
            "--email: This is no e-mail address, such as ana@example.com.",
        ),
        (
            {},
            f"{' '.join(CONNECT)} --owner 77777 --account-sid AC{'3' * 32} --number +551150284408",
            "There is no owner",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_what_can_go_wrong_is_one_sentence(
    external: Place, setting: dict[str, str], words: str, sentence: str
) -> None:
    assert external.with_settings(**setting).refuses(*words.split()).startswith(sentence)


@pytest.mark.parametrize(
    "words",
    [
        "serve --port 0",
        "serve --nonsense",
        "frobnicate",
        "tenant create",
        "quarantine replay 99999999999999999999",
    ],
)
def test_what_was_typed_wrong_is_explained(external: Place, words: str) -> None:
    finished = external.run(*words.split())

    assert finished.returncode == 2
    assert "Usage: " in finished.stderr


def test_it_says_which_version_it_is(external: Place) -> None:
    assert external.say("--version") == f"owner {__version__}"


def test_what_a_person_has_to_look_at_after_a_comparison_is_a_line_that_can_be_read(external: Place) -> None:
    company = external.make_tenant("worries@acme.example")
    nobody = external.with_settings(OWNER_TWILIO_API_URL=f"http://127.0.0.1:{free_port()}")
    connected = nobody.say(
        *CONNECT,
        "--owner",
        str(company["owner_id"]),
        "--account-sid",
        f"AC{'6' * 32}",
        "--number",
        "+551150284413",
        "--json",
    )

    compared = nobody.run("reconcile", "--owner", str(company["owner_id"]))

    account = json.loads(connected)["twilio_account_id"]
    assert compared.returncode == 1
    assert f"account {account} of owner {company['owner_id']}: Twilio can't be reached." in compared.stdout


def test_the_quarantine_is_listed_without_what_customers_wrote(external: Place) -> None:
    ask(
        external.settings["OWNER_DATABASE_URL"],
        "SELECT quarantine_add(NULL, 'BAD_SIGNATURE', '/webhooks/twilio/inbound', %s::jsonb, 'c2ln', 100)",
        '[["Body", "meu segredo"]]',
    )

    listed = external.say("quarantine", "list")

    assert "BAD_SIGNATURE" in listed
    assert "meu segredo" not in listed


@contextmanager
def counting_connections() -> Iterator[tuple[str, list[object]]]:
    """A place that takes connections, notes them and says nothing."""
    taken: list[object] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            taken.append(peer)
            connection.close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", taken
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_health(port: int, process: "subprocess.Popen[str]") -> dict[str, Any]:
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                health: dict[str, Any] = json.load(answer)
                return health
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("no answer from /health")


def wait_for_schedules(place: Place) -> None:
    """A worker is up when it has entered what it does by the clock."""
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        if ask(place.settings["OWNER_ADMIN_DATABASE_URL"], "SELECT 1 FROM jobs.pgqueuer_schedules"):
            return
        time.sleep(0.1)
    raise AssertionError("no worker")


def family_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """A process and what it started; the embedded server is in a session of its own and not among them."""
    parent = psutil.Process(process.pid)
    return [child for child in parent.children(recursive=True) if "postgres" not in child.name()] + [parent]


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes[:-1], timeout=3)
    return alive


def output_of(place: Place) -> str:
    return (place.folder / "output.log").read_text()
