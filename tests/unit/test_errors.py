"""The tree of errors and what becomes of it over HTTP."""

import re
from collections.abc import Iterator

import pytest

from owner.api.errors import HTTP_STATUS
from owner.models import access_errors, contact_errors, errors, outage_errors, work_errors
from owner.models.errors import OwnerError

MODULES = {module.__name__ for module in (errors, access_errors, contact_errors, outage_errors, work_errors)}


def descendants(kind: type[OwnerError]) -> Iterator[type[OwnerError]]:
    for child in kind.__subclasses__():
        if child.__module__ in MODULES:
            yield child
            yield from descendants(child)


TREE: list[type[OwnerError]] = [OwnerError, *descendants(OwnerError)]


def drawn() -> list[tuple[int, str]]:
    """Depth and name of each line of the drawing."""
    lines = (errors.__doc__ or "").splitlines()
    found = [re.match(r"([│├└─ ]*)([A-Z]\w+)(?:\s{2,}.*)?$", line) for line in lines[2:]]
    return [(len(match[1]) // 4, match[2]) for match in found if match]


def test_the_drawing_is_the_tree() -> None:
    parents: list[str] = []
    pictured = set()
    for depth, name in drawn():
        parents[depth:] = [name]
        pictured.add((name, parents[depth - 1] if depth else ""))

    real = {(kind.__name__, kind.__mro__[1].__name__ if kind is not OwnerError else "") for kind in TREE}
    assert pictured == real


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_has_a_sentence_and_a_status(kind: type[OwnerError]) -> None:
    status = next(HTTP_STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in HTTP_STATUS)

    assert (kind.__doc__ or "").strip().endswith((".", "?", "`", ")."))
    assert 400 <= status < 600
    assert (status == 500) == (kind is OwnerError)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in TREE]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("[a-z_]+", code) for code in codes)


def test_an_error_without_a_message_says_what_its_class_says() -> None:
    assert errors.OwnerNotFound().message == "There is no such owner."
    assert str(errors.ConversationNotFound(7)) == "There is no conversation 7."
