"""Programs that answer customers over the API: they send, assign and close, and repeat what got no answer."""

import asyncio
import random
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from chaos.ledger import Ledger, Send
from chaos.pace import Pace
from factories import Tenant

AT_ONCE: Final = 6
TRIES: Final = 25
TIMEOUT: Final = aiohttp.ClientTimeout(total=20)
UNANSWERED: Final = (aiohttp.ClientError, TimeoutError, OSError)
ANSWER: Final = "Olá, já estamos a ver do seu caso da berinjela"  # and what makes each text another
LATER: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS})


@dataclass
class Agents:
    """All of one tenant."""

    tenant: Tenant
    url: str
    ledger: Ledger
    session: aiohttp.ClientSession
    rng: random.Random

    async def work(self, pace: Pace) -> None:
        """Work until the pace ends; what has been begun is brought to its end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work_on(pace))

    async def _work_on(self, pace: Pace) -> None:
        waiting: list[int] = []
        while await pace.turn():
            if not waiting:
                waiting = await self._open_conversations()
            if not waiting:
                continue
            conv_id, luck = waiting.pop(), self.rng.random()
            if luck < 0.75:
                await self._send(conv_id)
            elif luck < 0.85:
                await self._assign(conv_id)
            else:
                await self._close(conv_id)

    async def _open_conversations(self) -> list[int]:
        order = self.rng.choice(["newest", "last_activity"])
        status, page = await self._call("GET", f"/v1/conversations?state=open&limit=40&sort={order}")
        if status != HTTPStatus.OK:
            return []
        found = [int(item["conv_id"]) for item in page["items"]]
        self.rng.shuffle(found)
        return found

    async def _send(self, conv_id: int) -> None:
        key = secrets.token_hex(8)
        send = self.ledger.sends[key] = Send(self.tenant.owner_id, conv_id, f"{ANSWER} ({key}).")
        path, body = f"/v1/conversations/{conv_id}/messages", {"content": send.text}
        status, answer = await self._call("POST", path, body, send=send, key=key)
        if status == HTTPStatus.ACCEPTED:
            send.msg_ids.add(int(answer["msg_id"]))
            if self.rng.random() < 0.05:  # a program that crashed and doesn't know that it was answered
                status, answer = await self._call("POST", path, body, send=send, key=key)
                if status == HTTPStatus.ACCEPTED:
                    send.msg_ids.add(int(answer["msg_id"]))
        elif status is not None:
            send.refusal = str(answer.get("code"))

    async def _assign(self, conv_id: int) -> None:
        path = f"/v1/conversations/{conv_id}/assign"
        await self._call("POST", path, {"assignee_id": self.tenant.user_id})

    async def _close(self, conv_id: int) -> None:
        status, _ = await self._call("POST", f"/v1/conversations/{conv_id}/close", {"reason": "done"})
        if status == HTTPStatus.OK:
            self.ledger.closings.add((self.tenant.owner_id, conv_id))

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        send: Send | None = None,
        key: str | None = None,
    ) -> tuple[int | None, Any]:
        """The first answer that is final; None where there was none."""
        headers = {"Authorization": f"Bearer {self.tenant.api_key}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        for number in range(TRIES):
            if send is not None:
                send.tries += 1
            try:
                async with self.session.request(
                    method, self.url + path, json=body, headers=headers, timeout=TIMEOUT
                ) as response:
                    status, answer = response.status, await response.json(content_type=None)
            except UNANSWERED:
                self.ledger.statuses["api nothing"] += 1
            else:
                self.ledger.statuses[f"api {status}"] += 1
                if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in LATER:
                    return status, answer
            await asyncio.sleep(min(0.2 * 2**number, 3.0))
        return None, None
