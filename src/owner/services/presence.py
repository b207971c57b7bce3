"""Who else looks at a conversation or writes in it: told from process to process, stored nowhere."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from owner.db.database import Database
from owner.models.principal import Principal
from owner.services.ports import Clock

CHANNEL: Final = "owner_presence"
_WORDS: Final = re.compile(r"(\d+) (\d+) (\d+) ([01])", re.ASCII)  # owner, conversation, user, typing
KEPT_FOR: Final = timedelta(seconds=12)  # pages say every five that somebody is there


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who is there."""

    user_id: int
    is_typing: bool
    until: datetime


class PresenceService:
    """A word that is lost costs a warning that comes five seconds later, so nothing is made sure of."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self._present: defaultdict[tuple[int, int], dict[int, Present]] = defaultdict(dict)
        self._is_listening = False
        self._swept_at = clock.now()

    async def note(self, caller: Principal, conv_id: int, *, is_typing: bool) -> Sequence[Present]:
        """The caller is there; says who else is."""
        if not self._is_listening:
            self._is_listening = True
            await self.database.notices.relay(CHANNEL, self._hear)
        words = f"{caller.owner_id} {conv_id} {caller.user_id} {int(is_typing)}"
        self._hear(words)
        self.database.notices.say(CHANNEL, words)
        return self.others(caller, conv_id)

    def others(self, caller: Principal, conv_id: int) -> Sequence[Present]:
        now = self.clock.now()
        there = self._present.get((caller.owner_id, conv_id), {}).values()
        return [one for one in there if one.user_id != caller.user_id and one.until > now]

    def _hear(self, words: str) -> None:
        said = _WORDS.fullmatch(words)
        if said is None:
            return
        owner_id, conv_id, user_id, typing = map(int, said.groups())
        now = self.clock.now()
        self._present[owner_id, conv_id][user_id] = Present(user_id, bool(typing), now + KEPT_FOR)
        if self._swept_at + KEPT_FOR < now:
            self._sweep(now)

    def _sweep(self, now: datetime) -> None:
        """Forget who has left."""
        self._swept_at = now
        for place, there in list(self._present.items()):
            left = [user_id for user_id, one in there.items() if one.until <= now]
            for user_id in left:
                del there[user_id]
            if not there:
                del self._present[place]
