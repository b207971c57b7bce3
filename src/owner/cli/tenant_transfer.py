"""`owner tenant export`, `import` and `erase`: take a tenant along, bring it in, remove it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from owner.cli.context import out, read_input, with_services
from owner.models.entity import DTO, LARGEST_ID
from owner.models.errors import InvalidInput
from owner.models.owner import Email
from owner.models.transfer import LONGEST_LINE, Inventory, Transferred
from owner.services.catalog import Services

STDIO: Final = "-"
err = Console(stderr=True, highlight=False, soft_wrap=True)

TenantId = Annotated[int, typer.Argument(metavar="ID", help="The owner's id.", min=1, max=LARGEST_ID)]


class _NewEmail(DTO):
    """What `--email` takes."""

    email: Email | None


def export_tenant(
    owner_id: TenantId,
    *,
    output: Annotated[str, typer.Option(metavar="FILE", help="Where to; - is standard output.")] = STDIO,
    without_media: Annotated[
        bool, typer.Option("--without-media", help="Leave out the bytes of files.")
    ] = False,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Leave out keys, passwords, sessions and tokens.")
    ] = False,
) -> None:
    """Write everything of a tenant as JSON lines. Encrypted secrets stay so: reading them takes the same OWNER_SECRET_KEY."""

    async def use(services: Services) -> Transferred:
        inventory = await services.tenant_export.count(owner_id)
        with _written(output) as write, _bar("Exporting", sum(inventory.rows.values())) as told:
            return await services.tenant_export.export(
                owner_id, write, media=not without_media, secrets=not without_secrets, told=told
            )

    done = with_services(use)
    err.print(f"Owner {owner_id}: {done.total} rows and {done.files} files are exported.")
    if done.missing_files:
        err.print(f"{done.missing_files} files are not in the media folder and are missing.")


def import_tenant(
    file: Annotated[str, typer.Argument(metavar="FILE", help="As export wrote it; - is standard input.")],
    *,
    as_new: Annotated[
        bool, typer.Option("--as-new", help="Under a new owner id, for a copy beside the original.")
    ] = False,
    email: Annotated[str | None, typer.Option(help="The owner's e-mail from now on.")] = None,
) -> None:
    """Bring in a tenant from a file: all of it or, when a line is wrong, nothing."""
    wanted = read_input(_NewEmail, email=email)

    async def use(services: Services) -> Transferred:
        with _opened(file) as lines, _bar("Importing", _size(file)) as told:
            return await services.tenant_import.load(_read(lines, told), as_new=as_new, email=wanted.email)

    done = with_services(use)
    err.print(f"Owner {done.owner_id}: {done.total} rows and {done.files} files are imported.")
    for table, count in done.left_out.items():
        err.print(f"Left out, because another owner has them: {count} of {table}.")
    print(done.owner_id)  # noqa: T201 - programs read standard output


def erase_tenant(
    owner_id: TenantId,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Remove a tenant with all its rows, files, jobs and quarantined webhooks. There is no way back."""
    inventory = with_services(lambda services: services.tenant_export.count(owner_id))
    if dry_run:
        _show(inventory)
        return
    if not yes and typer.prompt(f"Type the name of owner {owner_id} to erase it", err=True) != inventory.name:
        raise InvalidInput(f"That is not the name of owner {owner_id}: nothing was erased.")

    async def use(services: Services) -> None:
        with _bar("Erasing", sum(inventory.rows.values())) as told:
            await services.tenant_erasure.erase(owner_id, told=told)

    with_services(use)
    err.print(f"Owner {owner_id} is erased.")


def _show(inventory: Inventory) -> None:
    table = Table("table", "rows")
    for name, count in {**inventory.rows, **inventory.other}.items():
        table.add_row(name, str(count))
    table.add_section()
    table.add_row("all", str(inventory.total))
    out.print(table)


@contextmanager
def _bar(words: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal; what is called moves it on."""
    columns = (TextColumn(words), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task: TaskID = progress.add_task(words, total=total)
        yield lambda count: progress.advance(task, count)


@contextmanager
def _written(output: str) -> Iterator[Callable[[bytes], None]]:
    """What is given goes into a file that is there whole or not at all, for its owner's eyes only."""
    if output == STDIO:
        with _explained("Standard output"):
            yield _writer(sys.stdout.buffer, "Standard output")
            sys.stdout.buffer.flush()
        return
    path = Path(output)
    if path.exists() and not path.is_file():  # a pipe or a device is written to, not replaced
        with _explained(output), _opened(output, "wb") as file:
            yield _writer(file, output)
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _explained(output):
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                yield _writer(file, output)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _writer(file: BinaryIO, name: str) -> Callable[[bytes], None]:
    """Writes; in the middle of a transaction an error of the disk must not look like one of the database."""

    def write(line: bytes) -> None:
        with _explained(name):
            file.write(line)

    return write


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise InvalidInput(f"{name} can't be written: {problem.strerror}.") from problem


@contextmanager
def _opened(name: str, mode: Literal["rb", "wb"] = "rb") -> Iterator[BinaryIO]:
    if name == STDIO:
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open(mode)  # noqa: SIM115 - closed below, apart from the errors of opening
    except OSError as problem:
        raise InvalidInput(f"{name} can't be opened: {problem.strerror}.") from problem
    with file:
        yield file


def _size(file: str) -> int | None:
    return None if file == STDIO else Path(file).stat().st_size


def _read(lines: BinaryIO, told: Callable[[int], None]) -> Iterator[bytes]:
    """Lines, none of them without an end in sight."""
    try:
        while line := lines.readline(LONGEST_LINE):
            yield line
            told(len(line))
    except OSError as problem:
        raise InvalidInput(f"The file can't be read: {problem.strerror}.") from problem
