"""What a process does once it has started."""

import gc
from collections.abc import Iterator

import pytest

from owner import processes


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_collections_do_not_look_through_what_is_there_to_stay() -> None:
    there = len(gc.get_objects())

    processes.leave_start_up_alone()

    assert gc.get_freeze_count() > there / 2
    assert len(gc.get_objects()) < there / 2
    assert gc.get_threshold()[0] == processes.OBJECTS_BETWEEN_COLLECTIONS


def test_what_comes_later_is_collected_all_the_same() -> None:
    processes.leave_start_up_alone()
    circle: list[object] = []
    circle.append(circle)
    del circle

    assert gc.collect() >= 1
