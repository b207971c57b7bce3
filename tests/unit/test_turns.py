"""Owners take turns."""

from owner.services.turns import Turns


def test_each_owner_has_a_turn_before_any_has_a_second() -> None:
    turns = Turns[str]()
    for item in ("a1", "a2", "a3"):
        turns.add(item, owner_id=1)
    turns.add("b1", owner_id=2)
    turns.add("c1", owner_id=3)

    assert turns.take(4) == ["a1", "b1", "c1", "a2"]


def test_whose_turn_it_was_waits_for_the_others_next_time() -> None:
    turns = Turns[str]()
    for item in ("a1", "a2"):
        turns.add(item, owner_id=1)
    turns.add("b1", owner_id=2)

    assert [turns.take(1) for _ in range(3)] == [["a1"], ["b1"], ["a2"]]


def test_nothing_is_left_when_all_was_taken() -> None:
    turns = Turns[str]()
    turns.add("a1", owner_id=1)

    assert turns
    assert turns.take(10) == ["a1"]
    assert not turns
    assert turns.take(10) == []
