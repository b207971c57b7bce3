import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest
import structlog

from owner.db import embedded_place, embedded_revival
from owner.db.embedded import EmbeddedServer, EmbeddedServerError, bin_dir
from owner.db.embedded_account import Account

HOLDER = """
import sys
from pathlib import Path
from owner.db.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])).hold():
    print("up", flush=True)
    sys.stdin.read()
"""
LEAVER = "import sys, pathlib, owner.db.embedded as e; e.EmbeddedServer(pathlib.Path(sys.argv[1])).start_and_leave()"
PATIENCE = 60  # seconds
NOBODY = Account(uid=65534, gid=65534, name="nobody")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with _cleaned(EmbeddedServer(tmp_path_factory.mktemp("shared") / "home")) as server, server.hold():
        yield server


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with _cleaned(EmbeddedServer(tmp_path_factory.mktemp("made_once") / "home")) as server:
        server.start_and_leave()
        yield server


@pytest.fixture
def server(made_once: EmbeddedServer) -> EmbeddedServer:
    """Stopped, with nobody holding it."""
    assert made_once.stop()
    return made_once


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with _cleaned(EmbeddedServer(tmp_path / "home")) as server:
        yield server


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Unlike pytest's own, one that everybody can enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_every_client_gets_in_as_the_role_it_asks_for(shared: EmbeddedServer) -> None:
    for role in ("owner_service", "owner_admin"):
        psql: list[str | Path] = [
            bin_dir() / "psql",
            shared.url(role),
            "-Atc",
            "SELECT current_user, current_database()",
        ]

        assert _ask(shared.url(role), "SELECT current_user::text") == role
        assert subprocess.check_output(psql, text=True).strip() == f"{role}|owner"


async def test_asyncpg_gets_in_too(shared: EmbeddedServer) -> None:
    connection = await asyncpg.connect(shared.url("owner_service"))

    assert await connection.fetchval("SELECT current_user") == "owner_service"

    await connection.close()


def test_neither_role_bypasses_row_level_security(shared: EmbeddedServer) -> None:
    powers = (
        "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    with (
        psycopg.connect(shared.url("owner_service")) as service,
        psycopg.connect(shared.url("owner_admin")) as admin,
    ):
        assert service.execute(powers).fetchone() == (False, False, False, False)
        assert admin.execute(powers).fetchone() == (False, False, False, True)


def test_the_service_is_no_member_of_the_role_that_owns_the_tables(shared: EmbeddedServer) -> None:
    assert (
        _ask(shared.url("postgres"), "SELECT pg_has_role('owner_service', 'owner_admin', 'MEMBER')") is False
    )
    assert (
        _ask(shared.url("postgres"), "SELECT pg_has_role('owner_admin', 'owner_service', 'USAGE')") is False
    )


def test_the_migration_role_makes_groups_and_schemas_and_grants_them_to_the_service(
    shared: EmbeddedServer,
) -> None:
    with psycopg.connect(shared.url("owner_admin")) as admin:
        admin.execute("CREATE ROLE owner_app NOLOGIN")
        admin.execute("GRANT owner_app TO owner_service")
        admin.execute("ALTER ROLE owner_service SET lock_timeout = '5s'")
        admin.execute("CREATE SCHEMA app CREATE TABLE notes (note text)")
        admin.execute("CREATE TABLE public.notes (note text)")
        admin.execute("GRANT USAGE ON SCHEMA app TO owner_app")
        admin.execute("GRANT SELECT ON app.notes TO owner_app")

    assert _ask(shared.url("owner_service"), "SELECT count(*) FROM app.notes") == 0
    assert _ask(shared.url("owner_service"), "SHOW lock_timeout") == "5s"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _ask(shared.url("owner_service"), "CREATE TABLE public.mine (note text)")


def test_a_role_that_is_not_mapped_is_refused(shared: EmbeddedServer) -> None:
    _ask(shared.url("postgres"), "CREATE ROLE mallory LOGIN SUPERUSER")

    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        psycopg.connect(shared.url("owner_service").replace("owner_service@", "mallory@"))


@as_root
def test_another_user_of_the_machine_does_not_reach_the_socket(shared: EmbeddedServer) -> None:
    if not NOBODY.reaches(bin_dir() / "psql"):
        pytest.skip("nobody can't run psql here")

    assert NOBODY.run(bin_dir() / "psql", "--version")
    assert not NOBODY.run(bin_dir() / "psql", shared.url("owner_service"), "-c", "SELECT 1")


def test_nothing_listens_on_the_network_and_the_socket_is_private(shared: EmbeddedServer) -> None:
    postmaster = psutil.Process(_postmaster(shared))
    sockets = Path(str(_ask(shared.url("postgres"), "SHOW unix_socket_directories")))

    assert postmaster.net_connections(kind="inet") == []
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert postmaster.uids().real == sockets.stat().st_uid != 0


def test_what_is_acknowledged_is_on_the_disk(shared: EmbeddedServer) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert _ask(shared.url("owner_service"), f"SHOW {setting}") == "on"


def test_text_sorts_and_folds_alike_everywhere(shared: EmbeddedServer) -> None:
    query = "SELECT concat_ws(' ', lower('ÁÇÃO'), datlocprovider, datlocale, pg_encoding_to_char(encoding))"

    answer = _ask(shared.url("owner_service"), f"{query} FROM pg_database WHERE datname = 'owner'")

    assert answer == "áção b C.UTF-8 UTF8"


def test_the_log_quotes_nobody(shared: EmbeddedServer) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        _ask(shared.url("owner_service"), "SELECT 1 / 0 AS secret_of_ana")

    assert "secret_of_ana" not in shared.log.read_text()


def test_it_has_its_own_session_so_ctrl_c_does_not_reach_it(shared: EmbeddedServer) -> None:
    assert os.getsid(_postmaster(shared)) != os.getsid(0)


def test_it_does_not_keep_the_pipes_of_who_started_it(server: EmbeddedServer) -> None:
    subprocess.run([sys.executable, "-c", LEAVER, server.home], check=True, capture_output=True, timeout=20)

    assert server.is_running()


def test_processes_that_start_it_at_once_share_one(new_server: EmbeddedServer) -> None:
    with _holder(new_server) as first, _holder(new_server) as second, _holder(new_server) as third:
        for process in (first, second, third):
            assert _says_up(process)

        postmasters = [process for process in psutil.process_iter() if _is_postmaster_of(process, new_server)]

        assert [process.pid for process in postmasters] == [_postmaster(new_server)]


def test_the_last_holder_stops_it_and_no_other(server: EmbeddedServer) -> None:
    with server.hold():
        with _holder(server) as other:
            assert _says_up(other)
        assert server.is_running()
        with server.hold():
            pass
        assert server.is_running()

    assert not server.is_running()


def test_a_killed_holder_does_not_count(server: EmbeddedServer) -> None:
    with _holder(server) as killed:
        assert _says_up(killed)
        killed.kill()
        killed.wait()
    postmaster = _postmaster(server)
    assert server.is_running()

    with server.hold():
        assert _postmaster(server) == postmaster

    assert not server.is_running()


def test_it_starts_after_everything_was_killed_and_has_what_was_committed(server: EmbeddedServer) -> None:
    with _holder(server) as killed:
        assert _says_up(killed)
        _ask(server.url("owner_admin"), "CREATE TABLE kept AS SELECT 1 AS one")
        os.kill(_postmaster(server), signal.SIGKILL)
        killed.kill()

    with server.hold():
        assert _ask(server.url("owner_admin"), "SELECT one FROM kept") == 1


def test_while_it_is_held_it_is_started_again_after_it_was_killed(server: EmbeddedServer) -> None:
    with server.hold(), _holder(server) as other:
        assert _says_up(other)
        _ask(server.url("owner_admin"), "CREATE TABLE kept_too AS SELECT 2 AS two")
        killed = _postmaster(server)
        os.kill(killed, signal.SIGKILL)

        _eventually(lambda: server.is_running() and _postmaster(server) != killed)
        assert _ask(server.url("owner_admin"), "SELECT two FROM kept_too") == 2
    assert not server.is_running()


def test_while_it_can_not_be_started_that_is_told_and_tried_again(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_revival, "TRY_AGAIN_AFTER", 0.1)
    with server.hold(), structlog.testing.capture_logs() as lines:
        with _changed(server.home / "postgres" / "postgresql.conf", "no_such_setting = 1\n"):
            os.kill(_postmaster(server), signal.SIGKILL)
            _eventually(lambda: [line["event"] for line in lines].count("embedded_server_down") > 1)

        _eventually(server.is_running)


def test_it_starts_although_its_process_id_went_to_another_program(server: EmbeddedServer) -> None:
    with server.hold():
        os.kill(_postmaster(server), signal.SIGKILL)
    pid_file = server.home / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getppid()}\n{server.home}/postgres\n")

    with server.hold():
        assert server.is_running()


def test_the_next_start_waits_for_backends_that_outlived_their_postmaster(server: EmbeddedServer) -> None:
    with server.hold(), psycopg.connect(server.url("owner_service")) as busy:
        backend = psutil.Process(busy.info.backend_pid)
        backend.suspend()
        os.kill(_postmaster(server), signal.SIGKILL)
        with _holder(server) as waiting:
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(0.5)
            backend.kill()
            assert _says_up(waiting)


def test_a_visit_leaves_it_as_found(server: EmbeddedServer) -> None:
    with server.visit():
        assert server.is_running()
    assert not server.is_running()

    with _holder(server) as killed:
        assert _says_up(killed)
        killed.kill()
        killed.wait()
    with server.visit():
        assert server.is_running()
    assert server.is_running()

    assert server.stop()


def test_a_visit_that_outlasts_the_last_holder_stops_it(server: EmbeddedServer) -> None:
    with contextlib.ExitStack() as holding:
        holding.enter_context(server.hold())
        with server.visit():
            holding.close()
            assert server.is_running()

    assert not server.is_running()


def test_what_was_left_up_stays_until_it_is_stopped(server: EmbeddedServer) -> None:
    server.start_and_leave()
    with server.visit():
        pass
    with server.hold():
        assert not server.stop()
        server.start_and_leave()
    assert server.is_running()

    assert server.stop()
    assert not server.is_running()
    assert server.stop()


def test_a_stop_while_it_is_held_lets_the_holder_stop_it(server: EmbeddedServer) -> None:
    server.start_and_leave()
    with server.hold():
        assert not server.stop()
        assert server.is_running()

    assert not server.is_running()


def test_a_stop_during_a_visit_is_done_by_the_visitor(server: EmbeddedServer) -> None:
    server.start_and_leave()
    with server.visit():
        assert not server.stop()
        assert server.is_running()

    assert not server.is_running()


def test_a_home_with_a_long_and_odd_path_works_and_holds_its_own_data(open_folder: Path) -> None:
    with _cleaned(EmbeddedServer(open_folder / "Ana's data, old" / ("long" * 30))) as server, server.hold():
        sockets = Path(str(_ask(server.url("postgres"), "SHOW unix_socket_directories")))

        assert not (server.home / "postgres").is_symlink()
        assert server.home.stat().st_mode & 0o066 == 0
        assert len(str(sockets)) < 50
        assert sockets.stat().st_mode & 0o777 == 0o700
    sockets.rmdir()


@as_root
def test_a_short_socket_folder_that_somebody_else_made_is_not_used(open_folder: Path) -> None:
    data = open_folder / ("long" * 30)
    account = Account.for_data(None)
    made = embedded_place.socket_folder(data, account)
    os.chown(made, NOBODY.uid, NOBODY.gid)

    with pytest.raises(PermissionError, match="belongs to somebody else"):
        embedded_place.socket_folder(data, account)

    made.rmdir()


@as_root
def test_a_home_in_a_closed_folder_works_and_the_folder_stays_closed(server: EmbeddedServer) -> None:
    with server.hold():
        assert _ask(server.url("owner_service"), "SELECT 1") == 1

    assert server.home.parent.stat().st_mode & 0o777 == 0o700
    assert (server.home / "postgres").readlink().parent == Path("/var/lib/owner/clusters")


@as_root
def test_a_cluster_whose_home_is_gone_is_removed_by_the_next_start_unless_it_runs(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    with _cleaned(EmbeddedServer(tmp_path / "gone")) as gone:
        gone.start_and_leave()
        data = (gone.home / "postgres").resolve()
        (gone.home / "postgres").rename(tmp_path / "moved")
        with server.hold():
            assert data.exists()
        (tmp_path / "moved").rename(gone.home / "postgres")
        assert gone.stop()
        shutil.rmtree(gone.home)

    with server.hold():
        assert not data.exists()
        assert not embedded_place.running_lock(data).exists()


@as_root
def test_binaries_in_a_closed_folder_are_copied_once(
    monkeypatch: pytest.MonkeyPatch, open_folder: Path, tmp_path: Path
) -> None:
    package, install = bin_dir().parents[1], bin_dir().parent.name
    closed = tmp_path / "site-packages" / package.name
    closed.mkdir(parents=True)
    (closed / install).symlink_to(package / install)
    Path(f"{closed}.libs").symlink_to(f"{package}.libs")
    monkeypatch.setattr(embedded_place, "SHARED", open_folder)
    monkeypatch.setattr(embedded_place, "bin_dir", lambda: closed / install / "bin")
    account = Account.for_data(None)

    copied = embedded_place.reachable_bin_dir(account)

    assert copied.is_relative_to(open_folder)
    assert (copied / "postgres").stat().st_uid == 0
    assert all(account.run(copied / tool, "--version") for tool in ("initdb", "postgres", "pg_ctl", "psql"))
    assert embedded_place.reachable_bin_dir(account) == copied
    assert len(list(open_folder.iterdir())) == 1


@as_root
def test_an_ordinary_user_runs_it_as_themselves(open_folder: Path, shared: EmbeddedServer) -> None:
    if not NOBODY.reaches(bin_dir() / "postgres"):
        pytest.skip("nobody can't run Postgres here")
    os.chown(open_folder, NOBODY.uid, NOBODY.gid)

    child = os.fork()
    if child == 0:
        os._exit(_serve_as(NOBODY, open_folder / "home"))

    assert os.waitpid(child, 0)[1] == 0


def test_data_of_another_major_version_are_refused_in_one_sentence(server: EmbeddedServer) -> None:
    sentence = r"which Postgres 16 made: dump it .*postgres\.log\)\.$"

    with (
        _changed(server.home / "postgres" / "PG_VERSION", "16\n"),
        pytest.raises(EmbeddedServerError, match=sentence),
        server.hold(),
    ):
        pass


def test_a_start_that_fails_names_the_log(server: EmbeddedServer) -> None:
    with (
        _changed(server.home / "postgres" / "postgresql.conf", "shared_buffers = nonsense\n"),
        pytest.raises(EmbeddedServerError, match=r"did not start: .*/home/postgres\.log\)\.$"),
        server.hold(),
    ):
        pass

    assert "nonsense" in server.log.read_text()


def test_a_link_whose_data_are_gone_is_not_taken_for_a_new_home(new_server: EmbeddedServer) -> None:
    new_server.home.mkdir()
    (new_server.home / "postgres").symlink_to(new_server.home / "elsewhere")

    with pytest.raises(EmbeddedServerError, match="has lost its data: bring back"), new_server.hold():
        pass


@contextlib.contextmanager
def _cleaned(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    link = server.home / "postgres"
    try:
        yield server
    finally:
        with contextlib.suppress(EmbeddedServerError):
            server.stop()
        data = link.resolve()
        shutil.rmtree(data, ignore_errors=True)
        embedded_place.running_lock(data).unlink(missing_ok=True)


def _eventually(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        with contextlib.suppress(FileNotFoundError):
            if is_so():
                return
        time.sleep(0.05)
    pytest.fail("It did not come to that.")


@contextlib.contextmanager
def _changed(file: Path, text: str) -> Iterator[None]:
    before = file.read_text()
    file.write_text(text)
    yield
    file.write_text(before)


@contextlib.contextmanager
def _holder(server: EmbeddedServer) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, server.home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def _says_up(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "up\n"


def _ask(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _postmaster(server: EmbeddedServer) -> int:
    return int((server.home / "postgres" / "postmaster.pid").read_text().split()[0])


def _is_postmaster_of(process: psutil.Process, server: EmbeddedServer) -> bool:
    with contextlib.suppress(psutil.Error):
        return str((server.home / "postgres").resolve()) in process.cmdline()
    return False


def _serve_as(account: Account, home: Path) -> int:
    try:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
        os.chdir("/")
        server = EmbeddedServer(home)
        with server.hold():
            assert _ask(server.url("owner_service"), "SELECT current_user::text") == "owner_service"
            assert (home / "postgres").stat().st_uid == account.uid
            assert home.stat().st_mode & 0o777 == 0o700
        assert not server.is_running()
    except BaseException:  # noqa: BLE001 - a forked child must not go on with pytest's own work
        traceback.print_exc()
        return 1
    return 0
