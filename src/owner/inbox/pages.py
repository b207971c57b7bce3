"""Lists that a page shows whole: of what a company has some dozens, such as people, labels and canned replies."""

from typing import Final, Protocol, TypeVar

from owner.models.entity import Page

Item = TypeVar("Item")
STEP: Final = 100
MOST: Final = 500  # a longer list would be no choice for a person


class _Lists(Protocol[Item]):
    async def __call__(self, owner_id: int, *, limit: int, cursor: str | None) -> Page[Item]: ...


async def whole_list(list_page: _Lists[Item], owner_id: int) -> list[Item]:
    """All items, as the use case pages them."""
    items: list[Item] = []
    cursor: str | None = None
    while len(items) < MOST:
        page = await list_page(owner_id, limit=STEP, cursor=cursor)
        items.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    return items
