"""Templates of the owner's accounts, asked of the provider now and then, and the text that each makes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final
from weakref import WeakValueDictionary

from owner.db.database import Database
from owner.models.errors import OutcomeUnknown, OwnerError, ProviderError, TwilioAccountNotFound
from owner.models.template import Template, TemplateStatus
from owner.models.twilio_account import TwilioAccount
from owner.repositories.conversations import ConversationRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.ports import MessageGateway
from owner.services.twilio_accounts import TwilioService

KEPT_FOR: Final = 120.0  # seconds; a template that was approved just now is there after that
SILENCE_KEPT_FOR: Final = 15.0  # seconds in which a provider that did not answer isn't asked again
PATIENCE: Final = 4.0  # seconds for all pages together: somebody looks at the page meanwhile
MOST_ACCOUNTS: Final = 1_000  # whose templates one process remembers


@dataclass(frozen=True, slots=True)
class _Known:
    """What an account's last look brought, at a moment of the process's clock."""

    at: float
    templates: Sequence[Template] = ()
    problem: OwnerError | None = None

    def is_fresh(self) -> bool:
        return monotonic() < self.at + (SILENCE_KEPT_FOR if self.problem else KEPT_FOR)


class TemplateService:
    """Lists are remembered briefly in this process, failures more briefly."""

    def __init__(self, database: Database, *, gateway: MessageGateway, twilio: TwilioService) -> None:
        self.database = database
        self.gateway = gateway
        self.twilio = twilio
        self._known: dict[tuple[int, int], _Known] = {}
        self._turns: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()

    async def list_all(
        self, owner_id: int, twilio_account_id: int, *, status: TemplateStatus | None = None
    ) -> list[Template]:
        """Templates of an account by name, those with this status only.

        Raises:
            TwilioAccountNotFound: there is no such account.
            ProviderError, OutcomeUnknown: the provider could not be asked.
        """
        async with self.database.owner(owner_id) as connection:
            account = await TwilioAccountRepository(connection).get_connected(twilio_account_id)
        templates = await self._look(account)
        wanted = [template for template in templates if status in (None, template.status)]
        return sorted(wanted, key=lambda template: (template.name.casefold(), template.language))

    async def list_for(self, owner_id: int, conv_id: int) -> list[Template]:
        """What may be sent in a conversation whatever the hour; raises as `list_all` does."""
        account_id = await self._account_of(owner_id, conv_id)
        return await self.list_all(owner_id, account_id, status=TemplateStatus.APPROVED)

    async def filled_in(
        self, owner_id: int, conv_id: int, content_sid: str, values: Mapping[str, str]
    ) -> Template | None:
        """What the customer will see; None where the provider can't be asked or has no such template."""
        account_id = await self._account_of(owner_id, conv_id)
        try:
            templates = await self.list_all(owner_id, account_id)
        except (ProviderError, OutcomeUnknown, TwilioAccountNotFound):
            return None
        found = next((template for template in templates if template.content_sid == content_sid), None)
        return found.fill_in(values) if found else None

    async def _account_of(self, owner_id: int, conv_id: int) -> int:
        async with self.database.owner(owner_id) as connection:
            conversation = await ConversationRepository(connection).get(conv_id)
        return conversation.twilio_account_id

    async def _look(self, account: TwilioAccount) -> Sequence[Template]:
        """Once for all who ask at the same time; no database connection is held meanwhile."""
        key = (account.owner_id, account.twilio_account_id)
        async with self._turns.setdefault(key, asyncio.Lock()):
            known = self._known.get(key)
            if known is None or not known.is_fresh():
                known = await self._ask(account)
                self._remember(key, known)
        if known.problem is not None:
            raise known.problem.with_traceback(None)
        return known.templates

    async def _ask(self, account: TwilioAccount) -> _Known:
        try:
            async with asyncio.timeout(PATIENCE):
                templates = await self.gateway.list_templates(self.twilio.credentials(account))
        except TimeoutError:
            return _Known(monotonic(), problem=OutcomeUnknown())
        except (ProviderError, OutcomeUnknown) as problem:
            return _Known(monotonic(), problem=problem)
        return _Known(monotonic(), templates)

    def _remember(self, key: tuple[int, int], known: _Known) -> None:
        self._known.pop(key, None)
        self._known[key] = known
        if len(self._known) > MOST_ACCOUNTS:
            del self._known[next(iter(self._known))]
