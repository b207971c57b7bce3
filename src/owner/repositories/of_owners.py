"""What statements about rows of many owners have in common: they go from one owner to the next."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Protocol, TypeVar

Change = TypeVar("Change")


class OfOwner(Protocol):
    """Something that is asked for in an owner's name."""

    @property
    def owner_id(self) -> int: ...


def places_by_owner(sought: Sequence[OfOwner]) -> list[int]:
    """Where in the sequence each owner's things are, one owner after the other."""
    return sorted(range(len(sought)), key=lambda place: sought[place].owner_id)


def changes_by_owner(changes: Iterable[tuple[int, Change]]) -> Iterator[tuple[int, list[Change]]]:
    """Each owner once, with all of its changes in their order."""
    of_owner = itemgetter(0)
    for owner_id, group in groupby(sorted(changes, key=of_owner), key=of_owner):
        yield owner_id, [change for _, change in group]
