"""Customers who write: signed webhooks, tried again as Twilio does, some of them delivered twice."""

import asyncio
import random
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from chaos.ledger import Ledger, Webhook
from chaos.pace import Pace
from factories import Tenant
from owner.integrations.simulator import SimulatorClient
from owner.integrations.simulator.webhooks import Pairs, Webhooks

CALLERS: Final = 24  # webhooks of one tenant at the same time, at most
OVERRIDES: Final = "#rc=5&rp=all"  # the connection overrides that the README recommends
ROUNDS: Final = 10  # Twilio gives up after one; what is lost then is another matter (`owner reconcile`)
DOUBLED: Final = 0.03  # of all: delivered twice at the same time
REPEATED: Final = 0.03  # of all: delivered again after the answer
WORDS: Final = (
    "Bom dia, o meu pedido ainda não chegou. Podem verificar, por favor?",
    "Alguém aí? Preciso de ajuda com a minha jabuticabeira.",
    "A entrega da paçoca atrasou de novo.",
    "I would like to change the delivery address of my rutabagas.",
    "¿Tienen alcachofas en la tienda de la esquina?",
    "Sim, está certo.",
)
GOODBYES: Final = (
    "Não, era só isso mesmo. Pode encerrar o atendimento, obrigada!",
    "Isso é tudo, obrigado. Tchau tchau!",
    "Muito obrigada!",
)


@dataclass
class Customers:
    """All customers of one tenant."""

    tenant: Tenant
    url: str
    ledger: Ledger
    webhooks: Webhooks
    rng: random.Random
    numbers: list[str]
    simulator: SimulatorClient
    windows: set[str] = field(
        default_factory=set
    )  # customers whose WhatsApp window the simulator knows to be open

    async def write(self, pace: Pace) -> None:
        """Write until the pace ends; what has been begun is brought to its end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._write_on(pace))

    async def _write_on(self, pace: Pace) -> None:
        while await pace.turn():
            await self._write_one()

    async def _write_one(self) -> None:
        sid, customer = f"SM{secrets.token_hex(16)}", self.rng.choice(self.numbers)
        is_whatsapp = self.rng.random() < 0.5
        if is_whatsapp and customer not in self.windows:
            self.windows.add(customer)
            await self.simulator.write(f"whatsapp:{customer}", self.tenant.whatsapp)
        pairs = self._message(sid, customer, is_whatsapp=is_whatsapp)
        webhook = self.ledger.webhooks[sid] = Webhook(self.tenant.owner_id)
        luck = self.rng.random()
        if luck < DOUBLED:
            await asyncio.gather(self._deliver(webhook, pairs), self._deliver(webhook, pairs))
            return
        await self._deliver(webhook, pairs)
        if luck > 1 - REPEATED:
            await self._deliver(webhook, pairs)

    async def _deliver(self, webhook: Webhook, pairs: Pairs) -> None:
        for number in range(ROUNDS):
            answer = await self.webhooks.post(self.url + OVERRIDES, pairs, auth_token=self.tenant.auth_token)
            webhook.posts += answer.attempts
            self.ledger.statuses[f"webhook {answer.status_code or 'nothing'}"] += 1
            if answer.status_code == HTTPStatus.OK:
                webhook.acknowledged += 1
                return
            if answer.failure == "4xx":
                self.ledger.problems.append(f"a signed webhook was answered {answer.status_code}")
            await asyncio.sleep(min(0.2 * 2**number, 4.0))

    def _message(self, sid: str, customer: str, *, is_whatsapp: bool) -> Pairs:
        text = self.rng.choice(GOODBYES if self.rng.random() < 0.1 else WORDS)
        prefix = "whatsapp:" if is_whatsapp else ""
        person = [("ProfileName", "Ana"), ("WaId", customer.removeprefix("+"))] if is_whatsapp else []
        return [
            ("SmsMessageSid", sid),
            ("NumMedia", "0"),
            *person,
            ("SmsSid", sid),
            ("SmsStatus", "received"),
            ("Body", text),
            ("To", self.tenant.whatsapp if is_whatsapp else self.tenant.sms),
            ("NumSegments", "1"),
            ("MessageSid", sid),
            ("AccountSid", self.tenant.account.account_sid),
            ("From", prefix + customer),
            ("ApiVersion", "2010-04-01"),
        ]
