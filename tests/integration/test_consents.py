"""The ledger of consent: every path that changes it leaves its evidence, and only the customer undoes their own word."""

from typing import Any

import pytest

from factories import Tenant, make_inbound, some_number
from fakes import FakeGateway
from owner.models.consent import OptOutCreate, OptOutImport
from owner.models.contact import AddressInput
from owner.models.enums import ActorKind, ConsentChange, ConsentSource
from owner.models.errors import ContactOptedOut, InvalidAddress, ProviderError, ProviderProblem
from owner.models.event import SYSTEM, Actor
from owner.models.message import MessageCreate
from owner.services.catalog import Services
from owner.services.inbound import Receipt
from reading import address_of, rows

AGENT = Actor(ActorKind.USER, 7)
PROGRAM = Actor(ActorKind.API_KEY, 8)
ASKED = OptOutCreate(reason="Asked on the phone.")


async def receive(
    services: Services, tenant: Tenant, customer: str, content: str = "Oi", **more: Any
) -> Receipt:
    return await services.inbound.receive(
        make_inbound(tenant, content, customer=customer, **more),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )


async def ledger(services: Services, tenant: Tenant) -> list[tuple[str, str, str]]:
    """Change, source and actor, oldest first."""
    found = await rows(services, tenant, "SELECT * FROM contact_consents ORDER BY consent_id")
    return [(row["change"], row["source"], row["actor_kind"]) for row in found]


async def consent_events(services: Services, tenant: Tenant) -> list[str]:
    found = await rows(
        services, tenant, "SELECT type FROM events WHERE type LIKE 'contact.opted%' ORDER BY event_id"
    )
    return [row["type"] for row in found]


async def contact_of(services: Services, tenant: Tenant, channel: str = "SMS") -> int:
    return (await address_of(services, tenant, channel)).contact_id


async def test_the_customers_words_are_in_the_ledger_with_the_message_that_said_them(
    services: Services, acme: Tenant
) -> None:
    number = some_number()
    stop = await receive(services, acme, number, "STOP")
    start = await receive(services, acme, number, "START")
    await receive(services, acme, number, "no more", opt_out_type="STOP")

    page = await services.consents.list_page(acme.owner_id, await contact_of(services, acme), limit=10)

    assert await ledger(services, acme) == [
        ("OPTED_OUT", "WORD", "CUSTOMER"),
        ("OPTED_IN", "WORD", "CUSTOMER"),
        ("OPTED_OUT", "PROVIDER", "CUSTOMER"),
    ]
    assert [consent.evidence["msg_id"] for consent in page.items[::-1][:2]] == [stop.msg_id, start.msg_id]
    assert all(consent.address == number for consent in page.items)


async def test_what_the_provider_says_about_a_send_is_in_the_ledger(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    receipt = await receive(services, acme, some_number())
    await services.messages.send(acme.owner_id, receipt.conv_id or 0, MessageCreate(content="Oi"), by=AGENT)
    gateway.answers.append(ProviderError("no", kind=ProviderProblem.OPTED_OUT, provider_code=21610))

    await services.deliveries.deliver(acme.owner_id, receipt.conv_id or 0)

    assert await ledger(services, acme) == [("OPTED_OUT", "PROVIDER", "PROVIDER")]
    assert (await address_of(services, acme)).is_opted_out_by_customer


@pytest.mark.parametrize(("by", "source"), [(AGENT, "AGENT"), (PROGRAM, "API")])
async def test_what_the_company_notes_on_behalf_it_can_take_back(
    services: Services, acme: Tenant, by: Actor, source: str
) -> None:
    receipt = await receive(services, acme, some_number())
    contact_id = await contact_of(services, acme)

    out = await services.consents.opt_out(acme.owner_id, contact_id, ASKED, by=by)
    with pytest.raises(ContactOptedOut):
        await services.messages.send(acme.owner_id, receipt.conv_id or 0, MessageCreate(content="Oi"), by=by)
    again = await services.consents.opt_out(acme.owner_id, contact_id, ASKED, by=by)
    back = await services.consents.opt_in(acme.owner_id, contact_id, ASKED, by=by)
    await services.messages.send(acme.owner_id, receipt.conv_id or 0, MessageCreate(content="Oi"), by=by)

    assert [known.addresses[0].is_opted_out for known in (out, again, back)] == [True, True, False]
    assert await ledger(services, acme) == [("OPTED_OUT", source, by.kind), ("OPTED_IN", source, by.kind)]
    assert await consent_events(services, acme) == ["contact.opted_out", "contact.opted_in"]
    events = await rows(services, acme, "SELECT data::text FROM events")
    assert not any("phone" in event["data"] for event in events)


@pytest.mark.parametrize("opt_out_type", [None, "STOP"])
async def test_only_the_customer_takes_back_their_own_word(
    services: Services, acme: Tenant, opt_out_type: str | None
) -> None:
    number = some_number()
    await receive(services, acme, number, "STOP", opt_out_type=opt_out_type)
    contact_id = await contact_of(services, acme)

    await services.consents.opt_out(acme.owner_id, contact_id, ASKED, by=AGENT)
    with pytest.raises(ContactOptedOut):
        await services.consents.opt_in(acme.owner_id, contact_id, ASKED, by=AGENT)
    assert (await address_of(services, acme)).is_opted_out
    await receive(services, acme, number, "VOLTAR")

    assert not (await address_of(services, acme)).is_opted_out


async def test_the_customers_stop_outranks_what_an_agent_noted_before(
    services: Services, acme: Tenant
) -> None:
    number = some_number()
    await receive(services, acme, number)
    contact_id = await contact_of(services, acme)
    await services.consents.opt_out(acme.owner_id, contact_id, ASKED, by=AGENT)
    first = await address_of(services, acme)

    await receive(services, acme, number, "STOP")
    await receive(services, acme, number, "STOP")

    now = await address_of(services, acme)
    assert (now.opt_out_source, now.opted_out_at) == (ConsentSource.WORD, first.opted_out_at)
    assert [source for _, source, _ in await ledger(services, acme)] == ["AGENT", "WORD"]
    with pytest.raises(ContactOptedOut):
        await services.consents.opt_in(acme.owner_id, contact_id, ASKED, by=AGENT)


async def test_one_address_is_opted_out_and_the_others_stay(services: Services, acme: Tenant) -> None:
    number = some_number()
    await receive(services, acme, number)
    await receive(services, acme, f"whatsapp:{number}", to=acme.whatsapp)
    one = OptOutCreate(reason="x", address=AddressInput(address=f"whatsapp:{number}", channel="WHATSAPP"))

    await services.consents.opt_out(acme.owner_id, await contact_of(services, acme), one, by=AGENT)

    assert not (await address_of(services, acme, "SMS")).is_opted_out
    assert (await address_of(services, acme, "WHATSAPP")).is_opted_out


async def test_a_list_is_imported_once_however_often_it_is_sent(services: Services, acme: Tenant) -> None:
    known, by_whatsapp, refusing = some_number(), some_number(), some_number()
    await receive(services, acme, known)
    await receive(services, acme, f"whatsapp:{by_whatsapp}", to=acme.whatsapp)
    await receive(services, acme, refusing, "STOP")
    new = [some_number() for _ in range(120)]
    create = OptOutImport(
        reason="former system",
        addresses=[AddressInput(address=number) for number in (known, by_whatsapp, refusing, *new, new[0])],
    )

    first = await services.consents.import_opt_outs(acme.owner_id, create, by=PROGRAM)
    second = await services.consents.import_opt_outs(acme.owner_id, create, by=PROGRAM)

    assert (first.opted_out, first.already_opted_out, first.contacts_created) == (122, 1, 120)
    assert (second.opted_out, second.already_opted_out, second.contacts_created) == (0, 123, 0)
    found = await rows(
        services, acme, "SELECT change, source, evidence FROM contact_consents WHERE source = 'IMPORT'"
    )
    assert len(found) == 122
    assert found[0]["change"] == ConsentChange.OPTED_OUT
    assert found[0]["evidence"] == {"reason": "former system"}
    assert len(await rows(services, acme, "SELECT FROM contacts")) == 123


async def test_an_import_with_one_bad_address_notes_nothing(services: Services, acme: Tenant) -> None:
    create = OptOutImport(
        reason="x", addresses=[AddressInput(address=some_number()), AddressInput(address="ana")]
    )

    with pytest.raises(InvalidAddress) as refusal:
        await services.consents.import_opt_outs(acme.owner_id, create, by=SYSTEM)

    assert refusal.value.field == "addresses.1.address"
    assert await rows(services, acme, "SELECT FROM contacts") == []


async def test_the_key_to_remembered_opt_outs_survives_a_rotation(services: Services, acme: Tenant) -> None:
    number = some_number()
    await receive(services, acme, number, "STOP")
    contact_id = await contact_of(services, acme)
    [conversation] = await rows(services, acme, "SELECT conv_id FROM conversations")
    await rows(services, acme, "UPDATE conversations SET status = 'EXPIRED', closed_at = now()")
    await services.contacts.remove_address(acme.owner_id, contact_id, AddressInput(address=number), by=SYSTEM)
    [before] = await rows(services, acme, "SELECT key_encrypted FROM suppression_keys")

    rotated = await services.secret_rotation.rotate_of(acme.owner_id)
    receipt = await receive(services, acme, number, "Oi de novo")

    [after] = await rows(services, acme, "SELECT key_encrypted FROM suppression_keys")
    assert rotated
    assert before != after
    assert receipt.conv_id != conversation["conv_id"]
    address = await address_of(services, acme)
    assert (address.opt_out_source, address.contact_id != contact_id) == (ConsentSource.WORD, True)
    with pytest.raises(ContactOptedOut):
        await services.messages.send(
            acme.owner_id, receipt.conv_id or 0, MessageCreate(content="Oi"), by=AGENT
        )
