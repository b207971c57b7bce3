"""The embedded server's data folder: made once, configured at every start."""

from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from owner.db import embedded_place as place
from owner.db.embedded_account import Account
from owner.db.embedded_error import EmbeddedServerError, log_file

DATABASE = "owner"
SUPERUSER = "postgres"
PORT = 5432  # only part of the socket's name

SETTINGS = """\
# Written at every start. Your own settings belong in postgresql.conf, below the include.

# A socket that only its account can open; nothing listens on the network.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
port = {port}
max_connections = 200
password_encryption = scram-sha-256

# What is acknowledged is on the disk.
fsync = on
synchronous_commit = on
full_page_writes = on
wal_compression = on
max_wal_size = 4GB

# Many short statements, on a solid-state disk.
shared_buffers = 256MB
random_page_cost = 1.1
jit = off
# A new database fills fast: without statistics the planner reads an owner's whole index for one message.
autovacuum_naptime = 10s

# Warnings and worse, without the customers' words that statements and details quote.
log_min_messages = warning
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
log_autovacuum_min_duration = -1
log_timezone = 'UTC'
timezone = 'UTC'
"""
POSTGRESQL_CONF = "include 'owner.conf'\n\n# Your own settings go below this line, and win.\n"
PG_HBA = "local all all peer map=owner\n"

ROLES: dict[str, LiteralString] = {
    "owner_admin": "CREATE ROLE owner_admin LOGIN CREATEROLE",
    "owner_service": "CREATE ROLE owner_service LOGIN",
}
# A CREATEROLE role may alter only roles that it administers, which it would if it had made this one itself.
GRANT: LiteralString = "GRANT owner_service TO owner_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
# Its owner may create schemas, and tables in `public`.
CREATE_DATABASE: LiteralString = "CREATE DATABASE owner OWNER owner_admin"


@dataclass(frozen=True)
class Cluster:
    data: Path
    log: Path
    account: Account

    @property
    def sockets(self) -> Path:
        return place.socket_folder(self.data, self.account)

    def url(self, role: str) -> str:
        return f"postgresql://{role}@/{DATABASE}?host={self.sockets}&port={PORT}"

    def start(self, running: int) -> None:
        """The server inherits `running`, the lock that says that it lives."""
        self._refuse_another_version()
        self._configure()
        # That lock was free, so the process that these name is not our server: a recycled id, or a zombie.
        for left_behind in (self.data / "postmaster.pid", self.sockets / f".s.PGSQL.{PORT}.lock"):
            left_behind.unlink(missing_ok=True)
        if not self._control("start", "--wait", "--timeout=300", pass_fds=(running,)):
            remedy = "mend what the last lines of its log name, then start again"
            raise EmbeddedServerError("did not start", remedy=remedy, log=self.log)

    def ask_to_stop(self, *, mode: str) -> None:
        self._control("stop", "--no-wait", f"--mode={mode}")

    def answers(self) -> bool:
        where = (f"--host={self.sockets}", f"--port={PORT}", f"--username={SUPERUSER}", "--dbname=postgres")
        return self._run("pg_isready", "--quiet", "--timeout=3", *where)

    def prepare(self) -> None:
        """Makes the roles and the database; the latter last, so that it stands for all."""
        with psycopg.connect(
            host=str(self.sockets), port=PORT, user=SUPERUSER, dbname="postgres", autocommit=True
        ) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                return
            present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            for statement in (ROLES[role] for role in ROLES if role not in present):
                connection.execute(statement)
            connection.execute(GRANT)
            connection.execute(CREATE_DATABASE)

    def _refuse_another_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if made_by != str(place.major_version()):
            raise EmbeddedServerError(
                f"{place.major_version()} can't read {self.data}, which Postgres {made_by} made",
                remedy="dump it with the release that made it and restore the dump into a new OWNER_HOME",
                log=self.log,
            )

    def _configure(self) -> None:
        self.account.write(self.data / "owner.conf", SETTINGS.format(sockets=self.sockets, port=PORT))
        self.account.write(self.data / "pg_hba.conf", PG_HBA)
        self.account.write(self.data / "pg_ident.conf", "".join(self._identities()))

    def _identities(self) -> list[str]:
        people = self.account.who_may_connect()
        return [f'owner "{person}" {role}\n' for person in people for role in (*ROLES, SUPERUSER)]

    def _control(self, action: str, *options: str, pass_fds: tuple[int, ...] = ()) -> bool:
        return self._run("pg_ctl", action, "--silent", f"--pgdata={self.data}", *options, pass_fds=pass_fds)

    def _run(self, tool: str, *options: str, pass_fds: tuple[int, ...] = ()) -> bool:
        with log_file(self.log) as output:
            binary = place.reachable_bin_dir(self.account) / tool
            return self.account.run(binary, *options, pass_fds=pass_fds, output=output)


def make(link: Path, *, log: Path, account: Account) -> None:
    with place.new_data_folder(link, account) as data, log_file(log) as output:
        initdb = place.reachable_bin_dir(account) / "initdb"
        options = (f"--username={SUPERUSER}", "--encoding=UTF8", "--auth=peer", "--no-instructions")
        # The built-in provider sorts and folds alike on every system.
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        if not account.run(initdb, f"--pgdata={data}", *options, *locale, output=output):
            remedy = "mend what the last lines of its log name, then start again"
            raise EmbeddedServerError("could not make its data folder", remedy=remedy, log=log)
        account.write(data / "postgresql.conf", POSTGRESQL_CONF)
