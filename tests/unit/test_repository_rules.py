"""Rules of the code base that no linter knows; each passes on a tree that is still growing."""

import ast
import hashlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "owner"
SQL_FOLDERS = ("repositories", "db")
SQL_STATEMENT = re.compile(
    r"""\bSELECT\b.+\bFROM\b | ^\s*SELECT\s
      | \bINSERT\s+INTO\b | \bUPDATE\s+\S+\s+SET\b | \bDELETE\s+FROM\b
      | ^\s*(?:select\s.+\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s)""",
    re.VERBOSE | re.DOTALL,
)
ROUTE_DECORATORS = {"get", "post", "put", "patch", "delete", "head", "options", "route", "api_route"}
LONGEST_ROUTE = 12
LONGEST_MODULE = 400
OWN_ASSET = 40_000  # bytes
# In pieces, so that this file doesn't break its own rule.
REGISTRY_HOSTS = tuple(
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("conda", "anaconda", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
    )
)


def test_sql_is_only_in_repositories_and_db() -> None:
    found = [
        f"{_where(path, line)} {' '.join(text.split())[:60]}"
        for path, tree in _modules("")
        if path.relative_to(SOURCE).parts[0] not in SQL_FOLDERS
        for line, text in _string_literals(tree)
        if SQL_STATEMENT.search(text)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("code", "is_sql"),
    [
        ("connection.fetch('SELECT name FROM owners')", True),
        ("connection.fetch(f'SELECT {columns}\\nFROM {table}')", True),
        ("connection.fetchval('SELECT 1')", True),
        ("connection.execute('insert into owners (name) values ($1)')", True),
        ("connection.execute('UPDATE owners SET name = $1')", True),
        ("connection.execute('WITH gone AS (DELETE FROM owners RETURNING *) TABLE gone')", True),
        ("def find():\n    'A docstring may say SELECT … FROM owners.'", False),
        ("print('Select one number from the list.')", False),
        ("print('update the owner, then set its name')", False),
    ],
)
def test_sql_is_told_from_prose(code: str, *, is_sql: bool) -> None:
    literals = [text for _, text in _string_literals(ast.parse(code))]

    assert any(SQL_STATEMENT.search(text) for text in literals) is is_sql


def test_routes_leave_errors_to_the_error_tree() -> None:
    found = [
        _where(path, node.lineno)
        for path, tree in _modules("api")
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and node.exc and _name(node.exc) == "HTTPException"
    ]

    assert found == []


def test_services_change_a_status_only_through_the_life_cycle() -> None:
    found = [
        _where(path, target.lineno)
        for path, tree in _modules("services")
        for node in ast.walk(tree)
        for target in _assigned(node)
        if isinstance(target, ast.Attribute) and target.attr == "status"
    ]

    assert found == []


def test_routes_are_short() -> None:
    found = [
        f"{_where(path, node.lineno)} {node.name}: {length} lines"
        for path, tree in _modules("api")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_route(node)
        if (length := _body_length(node)) > LONGEST_ROUTE
    ]

    assert found == []


def test_modules_are_short() -> None:
    found = [
        f"{_where(path, length)}"
        for path, _ in _modules("")
        if (length := len(path.read_text().splitlines())) > LONGEST_MODULE
    ]

    assert found == []


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_every_locked_requirement_has_a_hash_and_no_url(lock: Path) -> None:
    text = lock.read_text()
    requirements = re.findall(r"^(?![#\s]).+(?:\n[ \t].+)*", text, re.MULTILINE)

    assert "://" not in text
    assert requirements
    assert [line for line in requirements if not re.match(r"[\w.\[\]-]+==\S+", line)] == []
    assert [line for line in requirements if "--hash=sha256:" not in line] == []


def test_what_others_wrote_is_listed_with_version_licence_and_checksums() -> None:
    listed = tomllib.loads((ROOT / "requirements" / "vendored.toml").read_text())["package"]
    carried = {
        path.parent.relative_to(ROOT).as_posix() for path in SOURCE.rglob("*") if path.name == "LICENSE"
    }

    assert carried == {package["folder"] for package in listed}
    for package in listed:
        assert package["name"]
        assert package["version"]
        assert package["license"]
        folder = ROOT / package["folder"]
        assert {name: _checksum(folder / name) for name in package["sha256"]} == package["sha256"]
    # A stray library, by the weight that no file of our own has.
    heavy = {
        path for path in SOURCE.rglob("static/**/*") if path.is_file() and path.stat().st_size > OWN_ASSET
    }
    assert heavy <= {ROOT / package["folder"] / name for package in listed for name in package["sha256"]}


def test_what_bandit_lets_pass_names_its_number_and_its_reason() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, _ in _modules("")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "nosec" in line and not re.search(r"# nosec B\d{3} # \w", line)
    ]

    assert found == []


def test_no_file_names_a_package_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)} {host}"
        for path in _files_in_git()
        for host in REGISTRY_HOSTS
        if re.search(rb"(?<![\w-])" + re.escape(host.encode()), path.read_bytes())
    ]

    assert found == []


@pytest.mark.parametrize("page", ["capabilities.md", "reliability.md", "threat-model.md"])
def test_tables_name_existing_files(page: str) -> None:
    lines = (ROOT / "docs" / page).read_text().splitlines()
    rows = [line for line in lines if line.startswith("|")]

    missing = [path for row in rows for path in _paths_in(row) if not _exists(path)]

    assert missing == []


def test_each_promise_leads_to_tests_of_that_name() -> None:
    page = (ROOT / "docs" / "capabilities.md").read_text()
    named = re.findall(r"`(tests/\w+/\w+\.py)`((?: `test_\w+`)+)", page)

    missing = [
        f"{path}::{name}"
        for path, names in named
        for name in re.findall(r"test_\w+", names)
        if f"def {name}(" not in (ROOT / path).read_text()
    ]

    assert len(named) >= 6
    assert missing == []


def _modules(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((SOURCE / folder).rglob("*.py")):
        yield path, ast.parse(path.read_text(), filename=str(path))


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def _string_literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string but the docstrings, an f-string as one text with its values left out."""
    # A string that is a statement of its own documents something; nothing executes it.
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(_literal(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def _literal(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "x"


def _name(node: ast.expr) -> str | None:
    match node:
        case ast.Call(func=function):
            return _name(function)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return None


def _assigned(node: ast.AST) -> Iterator[ast.AST]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    for target in targets:
        yield from ast.walk(target)


def _is_route(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in ROUTE_DECORATORS
        for decorator in function.decorator_list
    )


def _body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _files_in_git() -> Iterator[Path]:
    """What is committed or would be; without git (an unpacked archive) there is nothing to check."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    for name in filter(None, listing.stdout.split("\0")):
        if (path := ROOT / name).is_file():
            yield path


def _paths_in(row: str) -> list[str]:
    """The files in a table row: `src/owner/models/closure.py`, or a link to one, a test's name cut off."""
    quoted = re.findall(r"`([\w.*-]+(?:/[\w.*-]+)+/?)(?:::\w+)?`", row)
    linked = re.findall(r"\]\((?:\.\./)*([\w.*/-]+)(?:#[\w-]+)?\)", row)
    return quoted + linked


def _exists(path: str) -> bool:
    """Below the root, or below what every row of the table has in common."""
    return any(next(base.glob(path), None) for base in (ROOT, SOURCE, ROOT / "docs", ROOT / "tests"))
