"""The play: a customer, an agent, and what the product makes of them; each step is looked up in the database."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

import aiohttp

from owner.cli.context import out
from owner.integrations.simulator import SimulatorClient
from owner.models.addresses import canonical, parse_address
from owner.models.closure import Turn, score
from owner.models.conversation import Conversation
from owner.models.enums import ConversationStatus, DeliveryStatus, MessageDirection
from owner.models.message import Message
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.messages import MessageRepository
from owner.repositories.quarantine import QuarantineRepository
from owner.services.catalog import Services

T = TypeVar("T")
PATIENCE: Final = 20.0  # seconds that a step may take to be seen
TICKS: Final = {
    DeliveryStatus.QUEUED: "[dim]🕓[/dim]",
    DeliveryStatus.SENDING: "[dim]🕓[/dim]",
    DeliveryStatus.SENT: "[dim]✓[/dim]",
    DeliveryStatus.DELIVERED: "[dim]✓✓[/dim]",
    DeliveryStatus.READ: "[cyan]✓✓[/cyan]",
}
TEMPLATE: Final = "HX" + 32 * "0"
COLOURS: Final = {"PENDING": "yellow", "PROGRESS": "blue", "USER_CLOSED": "green"}


class StepFailed(Exception):
    """A step was not seen in the database."""


@dataclass(slots=True)
class Cast:
    """Everybody on the stage."""

    services: Services
    session: aiohttp.ClientSession
    simulator: SimulatorClient
    owner_id: int
    api_key: str = field(repr=False)
    account_sid: str
    inbound_url: str
    whatsapp: str
    sms: str
    ana: str = field(default_factory=lambda: f"whatsapp:+55119{secrets.randbelow(90_000_000) + 10_000_000}")
    bruno: str = field(default_factory=lambda: f"+55119{secrets.randbelow(90_000_000) + 10_000_000}")
    carla: str = field(default_factory=lambda: f"+55119{secrets.randbelow(90_000_000) + 10_000_000}")


async def play(cast: Cast) -> None:
    """Seven scenes.

    Raises:
        StepFailed: one of them did not happen as it should; it names the step.
    """
    out.print(
        "\n[bold]Padaria Central answers on WhatsApp.[/bold] [dim]Every line below went over real HTTP, signed as Twilio signs.[/dim]\n"
    )
    conversation = await _ana_asks(cast)
    await _agent_answers(cast, conversation, "Oi, Ana! Saiu agora: chega até as 15h.")
    await _ana_goes_on(cast, conversation)
    await _agent_answers(cast, conversation, "Pronto, tirei as broas. Posso ajudar em mais alguma coisa?")
    await _ana_says_goodbye(cast, conversation)
    await _ana_thanks_again(cast, conversation)
    await _webhook_comes_twice(cast)
    await _stranger_forges(cast)
    await _bruno_opts_out(cast)


async def leave_something_open(cast: Cast) -> None:
    """A conversation for who stays: a template with buttons on Carla's phone, unanswered.

    Raises:
        StepFailed: it was not sent.
    """
    opened = await _post(cast, "/v1/conversations", {"customer_address": cast.carla, "contact_name": "Carla"})
    _expect(opened.status == HTTPStatus.CREATED, "the API opens a conversation")
    content = {"content_sid": TEMPLATE, "content_variables": {"1": "Carla", "2": "1043"}}
    sent = await _post(cast, f"/v1/conversations/{opened.json['conv_id']}/messages", content)
    _expect(sent.status == HTTPStatus.ACCEPTED, "the API accepts a template")


async def _ana_asks(cast: Cast) -> Conversation:
    await _customer_writes(cast, cast.ana, "Oi! Meu pedido 1042 ainda não chegou.", profile_name="Ana")
    conversation = await _seen(
        "a customer's first message opens a conversation", lambda: _latest(cast, cast.ana)
    )
    _state(conversation)
    return conversation


async def _agent_answers(cast: Cast, conversation: Conversation, text: str) -> None:
    answer = await _post(cast, f"/v1/conversations/{conversation.conv_id}/messages", {"content": text})
    _expect(answer.status == HTTPStatus.ACCEPTED, "the API accepts the agent's answer")
    msg_id = answer.json["msg_id"]
    out.print(f"  [bold]agent[/bold]  {text} ", end="")
    shown: list[str] = []

    async def is_read() -> Message | None:
        message = await _message(cast, msg_id)
        tick = TICKS.get(message.delivery_status, message.delivery_status)
        if tick not in shown:
            shown.append(tick)
            out.print(f" {tick}", end="")
        return message if message.delivery_status is DeliveryStatus.READ else None

    await _seen("the answer is delivered and read", is_read)
    out.print()
    _state(await _conversation(cast, conversation.conv_id, ConversationStatus.PROGRESS))


async def _ana_goes_on(cast: Cast, conversation: Conversation) -> None:
    await _show_score(cast, conversation, "Obrigada! E posso cancelar as broas do pedido?")
    await _customer_writes(cast, cast.ana, "Obrigada! E posso cancelar as broas do pedido?")
    _state(await _conversation(cast, conversation.conv_id, ConversationStatus.PROGRESS))


async def _ana_says_goodbye(cast: Cast, conversation: Conversation) -> None:
    await _show_score(cast, conversation, "Não, era só isso. Muito obrigada, tchau!")
    await _customer_writes(cast, cast.ana, "Não, era só isso. Muito obrigada, tchau!")
    closed = await _conversation(cast, conversation.conv_id, ConversationStatus.USER_CLOSED)
    _state(closed, f"by {closed.closed_by}: {closed.closed_reason}")


async def _ana_thanks_again(cast: Cast, conversation: Conversation) -> None:
    await _customer_writes(cast, cast.ana, "Obrigada! 🙏")

    async def is_kept() -> Message | None:
        async with cast.services.database.owner(cast.owner_id) as connection:
            page = await MessageRepository(connection).list_by_conversation(conversation.conv_id, limit=100)
        return next((message for message in page.items if message.is_after_closure), None)

    await _seen("a thanks after the end is kept with the closed conversation", is_kept)
    _note("kept with the closed conversation; it wakes nobody")


async def _webhook_comes_twice(cast: Cast) -> None:
    sid = f"SM{secrets.token_hex(16)}"
    for _ in range(2):
        await _customer_writes(cast, cast.bruno, "Bom dia", to=cast.sms, message_sid=sid)

    async def is_one() -> Message | None:
        async with cast.services.database.owner(cast.owner_id) as connection:
            return await MessageRepository(connection).find_by_sid(sid)

    message = await _seen("a message that is delivered twice is stored", is_one)
    _expect(message.seq == 1, "a message that is delivered twice is one message")
    _note("delivered twice by Twilio, stored once")


async def _stranger_forges(cast: Cast) -> None:
    form = {
        "AccountSid": cast.account_sid,
        "MessageSid": f"SM{secrets.token_hex(16)}",
        "From": cast.ana,
        "To": cast.whatsapp,
        "Body": "Estorne tudo!",
    }
    headers = {"X-Twilio-Signature": "Zm9yZ2VkIHNpZ25hdHVyZSE="}
    async with cast.session.post(cast.inbound_url, data=form, headers=headers) as answer:
        status = answer.status
    out.print("  [red]forger[/red] Estorne tudo!  [dim](a webhook with a wrong signature)[/dim]")
    _expect(status == HTTPStatus.FORBIDDEN, "a forged webhook is refused with 403")

    async def is_set_aside() -> bool:
        async with cast.services.database.system() as connection:
            return bool(await QuarantineRepository(connection).list_latest(limit=1))

    await _seen("a forged webhook is in quarantine", is_set_aside)
    _note("403, and kept in quarantine for the operator")


async def _bruno_opts_out(cast: Cast) -> None:
    await _customer_writes(cast, cast.bruno, "STOP", to=cast.sms)

    async def is_noted() -> bool:
        async with cast.services.database.owner(cast.owner_id) as connection:
            address = await ContactAddressRepository(connection).find(canonical(parse_address(cast.bruno)))
        return address is not None and address.is_opted_out

    await _seen("STOP opts the customer out", is_noted)
    conversation = await _latest(cast, cast.bruno)
    assert conversation is not None
    answer = await _post(cast, f"/v1/conversations/{conversation.conv_id}/messages", {"content": "Promoção!"})
    _expect(answer.json.get("code") == "contact_opted_out", "nothing is sent to who opted out")
    out.print(f"  [bold]agent[/bold]  Promoção!  [red]✗ {answer.json['code']}[/red]")
    _note("opted out, not closed: from now on nothing can be sent to them")


async def _customer_writes(
    cast: Cast, customer: str, text: str, *, to: str | None = None, **more: Any
) -> None:
    name = "ana" if customer == cast.ana else "bruno"
    out.print(f"  [bold magenta]{name:<6}[/bold magenta] {text}")
    delivered = await cast.simulator.write(customer, to or cast.whatsapp, text, **more)
    _expect(delivered["status_code"] == HTTPStatus.OK, f"the webhook of «{text}» is answered 200")


async def _show_score(cast: Cast, conversation: Conversation, text: str) -> None:
    """What the detector makes of a message, from the same words that the product will read."""
    async with cast.services.database.owner(cast.owner_id) as connection:
        page = await MessageRepository(connection).list_by_conversation(conversation.conv_id, limit=100)
    history = [
        Turn("user" if message.direction is MessageDirection.INBOUND else "agent", message.content)
        for message in page.items
    ]
    result = score(history, text)
    parts = f"0.5·{result.keyword_score:g} + 0.3·{result.pattern_score:g} + 0.2·{result.context_score:g}"
    out.print(
        f"         [dim]closure ({parts}) · {result.duration_modifier:g} = [bold]{result.confidence:g} {result.decision}[/bold][/dim]"
    )
    for signal in result.signals:
        out.print(f"         [dim]  {signal.name} {signal.weight:+g}: {signal.words}[/dim]")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    json: dict[str, Any]


async def _post(cast: Cast, path: str, body: dict[str, Any]) -> _Answer:
    headers = {"Authorization": f"Bearer {cast.api_key}"}
    async with cast.session.post(cast.services.public_url + path, json=body, headers=headers) as answer:
        return _Answer(answer.status, await answer.json(content_type=None))


async def _latest(cast: Cast, customer: str) -> Conversation | None:
    key = canonical(parse_address(customer))
    async with cast.services.database.owner(cast.owner_id) as connection:
        address = await ContactAddressRepository(connection).find(key)
        if address is None:
            return None
        ours = parse_address(cast.whatsapp).value
        return await ConversationRepository(connection).find_latest(address.contact_id, key, ours)


async def _message(cast: Cast, msg_id: int) -> Message:
    async with cast.services.database.owner(cast.owner_id) as connection:
        return await MessageRepository(connection).get(msg_id)


async def _conversation(cast: Cast, conv_id: int, status: ConversationStatus) -> Conversation:
    async def is_so() -> Conversation | None:
        found = await cast.services.conversations.get(cast.owner_id, conv_id)
        return found if found.status is status else None

    return await _seen(f"the conversation is {status}", is_so)


async def _seen(step: str, look: Callable[[], Awaitable[T | None]]) -> T:
    """Look again until it is there."""
    give_up_at = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < give_up_at:
        if found := await look():
            return found
        await asyncio.sleep(0.02)
    raise StepFailed(f"Not seen in the database: {step}.")


def _expect(condition: object, step: str) -> None:
    if not condition:
        raise StepFailed(f"Did not happen: {step}.")


def _state(conversation: Conversation, why: str = "") -> None:
    colour = COLOURS.get(conversation.status, "white")
    words = f"conversation {conversation.conv_id} {why}".rstrip()
    out.print(f"         [{colour}]● {conversation.status}[/{colour}] [dim]{words}[/dim]")


def _note(words: str) -> None:
    out.print(f"         [dim]→ {words}[/dim]")
