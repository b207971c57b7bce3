"""A queue in which owners take turns, so that who brings much makes nobody wait who brings little."""

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """The next is the first of the owner whose turn it is; what one owner brings keeps its order."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[Item]] = {}
        self._owners: deque[int] = deque()  # each that has something, once; the first is next

    def __bool__(self) -> bool:
        return bool(self._owners)

    def add(self, item: Item, *, owner_id: int) -> None:
        if (waiting := self._waiting.get(owner_id)) is not None:
            waiting.append(item)
        else:
            self._waiting[owner_id] = deque([item])
            self._owners.append(owner_id)

    def take(self, most: int) -> list[Item]:
        """The next items, `most` of them where there are as many."""
        taken: list[Item] = []
        while self._owners and len(taken) < most:
            owner_id = self._owners.popleft()
            waiting = self._waiting[owner_id]
            taken.append(waiting.popleft())
            if waiting:
                self._owners.append(owner_id)
            else:
                del self._waiting[owner_id]
        return taken
