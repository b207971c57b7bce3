"""Decides what an inbound message changes: whose it is, which conversation it joins, whether it ends it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from owner.models.addresses import Address
from owner.models.closure import (
    QUESTION_LAPSES_AFTER,
    ClosureDecision,
    ClosureScore,
    answers_closing_question,
    is_courtesy,
)
from owner.models.closure_language import language_of
from owner.models.consent import NewConsent
from owner.models.contact import Contact, ContactAddress, name_key_of
from owner.models.conversation import ASKED_AT, PENDING_CLOSURE, Conversation
from owner.models.enums import (
    ConsentChange,
    ConsentSource,
    DeliveryStatus,
    MessageDirection,
    MessageOwner,
    MessageType,
)
from owner.models.event import CUSTOMER, DETECTOR, SYSTEM, NewEvent
from owner.models.message import InboundMessage, Message
from owner.models.opt_out import OptOutIntent, opt_out_intent
from owner.models.owner import Owner
from owner.repositories.inbound import InboundChanges, Known
from owner.services.address_book import new_address, returned_consent
from owner.services.closure_detector import ClosureDetector

BLOCKED: Final = "the contact is blocked"


@dataclass(slots=True)
class Arrival:
    """One inbound message on its way in; `changes` collects what is to be stored."""

    inbound: InboundMessage
    known: Known
    owner: Owner
    twilio_account_id: int
    at: datetime
    detector: ClosureDetector
    changes: InboundChanges = field(init=False)
    score: ClosureScore | None = None
    asks_customer: bool = False
    _conversation: Conversation | None = None

    def __post_init__(self) -> None:
        self.changes = InboundChanges(self.owner.owner_id)

    @property
    def conversation(self) -> Conversation:
        """Where the message was placed."""
        assert self._conversation is not None, "it is decided first"
        return self._conversation

    def decide(self) -> None:
        """Settle, place, opt out or detect; in this order, because the ones before rule out those after."""
        contact_id = self._identify()
        intent = opt_out_intent(self.inbound.content, self.inbound.opt_out_type, self.owner.opt_out_words)
        conversation = self._place_blocked(contact_id) if self.known.blocked_at else self._place(contact_id)
        silence = self.at - conversation.last_activity_at
        message = self._append(conversation)
        if intent is not None:
            self._apply_consent(intent, message)
        is_word_of_consent = intent is OptOutIntent.STOP or (
            intent is OptOutIntent.START and self._is_opted_out
        )
        if conversation.is_open and not is_word_of_consent and not self.is_late:
            self._detect_closure(conversation, message, after=silence)
        if conversation not in self.changes.opened:
            self.changes.changed.append(conversation)
        for touched in (*self.changes.changed, *self.changes.opened):
            self.changes.events.extend(touched.take_events())
        self._conversation = conversation

    @property
    def is_late(self) -> bool:
        """Whether nobody was told when it was written: it may have been overtaken, so it closes nothing."""
        return self.inbound.written_at is not None

    @property
    def written_at(self) -> datetime:
        return min(self.inbound.written_at or self.at, self.at)

    @property
    def customer_language(self) -> str | None:
        """The language that the customer writes in this conversation, if it can be told."""
        said = [text for direction, text in self.known.history if direction is MessageDirection.INBOUND]
        return language_of([*said, self.inbound.content])

    def _identify(self) -> int:
        """The customer behind the address: known, known from another channel, or new."""
        contact_id = self.known.contact_id
        if contact_id is None:
            contact_id = self.known.new_contact_id
            assert contact_id is not None
            self._add_contact(contact_id)
        reply_address = self.inbound.customer.value
        if self.known.address is None:
            self.known.address = self._new_address(contact_id, reply_address)
            self.changes.addresses.append(self.known.address)
        elif self.known.address.reply_address != reply_address:
            self.known.address = self.known.address.model_copy(update={"reply_address": reply_address})
            self.changes.changed_addresses.append(self.known.address)
        return contact_id

    def _add_contact(self, contact_id: int) -> None:
        name = self.inbound.profile_name
        contact = Contact(
            owner_id=self.owner.owner_id,
            contact_id=contact_id,
            name=name,
            name_key=name_key_of(name),
            created_at=self.at,
            updated_at=self.at,
        )
        self.changes.contacts.append(contact)
        self.changes.words.extend(contact.search_words([self.inbound.customer_key.value]))
        self.changes.events.append(NewEvent("contact.created", CUSTOMER, contact_id=contact_id))

    def _new_address(self, contact_id: int, reply_address: str) -> ContactAddress:
        address = new_address(
            self.inbound.customer_key,
            owner_id=self.owner.owner_id,
            contact_id=contact_id,
            reply_address=reply_address,
            suppression=self.known.suppression,
            at=self.at,
        )
        if address.is_opted_out:
            self.changes.consents.append(returned_consent(address, at=self.at))
        return address

    def _place(self, contact_id: int) -> Conversation:
        """The conversation that the message joins: the open one, a closed one that it wakes or not, a new one."""
        latest = self.known.conversation
        if latest is None:
            return self._open(contact_id, previous=None)
        was_due = latest.settle(now=self.at)
        if latest.is_open or self._is_overtaken(latest) or self._is_goodbye_to(latest):
            return latest
        if latest.can_be_reopened_by_customer(now=self.written_at):
            latest.reopen(by=CUSTOMER, reason="the customer wrote again within the grace period", at=self.at)
            return latest
        if was_due:
            self.changes.changed.append(latest)
        return self._open(contact_id, previous=latest)

    def _place_blocked(self, contact_id: int) -> Conversation:
        """Keep it with the latest conversation, or in one that ends as it begins: nobody is woken, nothing lost."""
        conversation = self.known.conversation or self._open(contact_id, previous=None)
        conversation.settle(now=self.at)
        if conversation.is_open:
            conversation.fail(reason=BLOCKED, by=SYSTEM, at=self.at)
        return conversation

    def _is_overtaken(self, conversation: Conversation) -> bool:
        """Whether the customer has written again since: nobody waits for an answer to this one any more."""
        last = conversation.last_inbound_at
        return self.is_late and last is not None and last > self.written_at

    def _is_goodbye_to(self, closed: Conversation) -> bool:
        return (
            closed.is_within_grace(now=self.written_at)
            and not self.inbound.attachments
            and is_courtesy(self.inbound.content)
        )

    def _open(self, contact_id: int, *, previous: Conversation | None) -> Conversation:
        customer: Address = self.inbound.customer_key
        conversation = Conversation.open(
            owner_id=self.owner.owner_id,
            conv_id=self._new_conv_id(),
            channel=customer.channel,
            contact_id=contact_id,
            customer_address=customer.value,
            our_address=self.inbound.company.value,
            twilio_account_id=self.twilio_account_id,
            limits=self.owner.limits,
            by=CUSTOMER,
            at=self.at,
            previous_conv_id=previous.conv_id if previous else None,
        )
        self.changes.opened.append(conversation)
        return conversation

    def _new_conv_id(self) -> int:
        assert self.known.new_conv_id is not None, "an id comes along unless a conversation stays open"
        return self.known.new_conv_id

    def _append(self, conversation: Conversation) -> Message:
        is_after_closure = not conversation.is_open
        if self._is_overtaken(conversation):
            seq = conversation.note_overtaken(at=self.at)
        elif is_after_closure:
            seq = conversation.note_after_closure(at=self.at, written_at=self.written_at)
        else:
            seq = conversation.note_inbound(at=self.at, written_at=self.written_at)
        message = Message(
            owner_id=self.owner.owner_id,
            msg_id=self.known.new_msg_id,
            conv_id=conversation.conv_id,
            seq=seq,
            direction=MessageDirection.INBOUND,
            message_owner=MessageOwner.USER,
            message_type=self.inbound.message_type,
            content=self.inbound.content,
            provider_sid=self.inbound.provider_sid,
            delivery_status=DeliveryStatus.RECEIVED,
            metadata=self.inbound.metadata,
            is_after_closure=is_after_closure,
            created_at=self.at,
            updated_at=self.at,
        )
        self.changes.messages.append(message)
        self.changes.attachments.extend(self.inbound.attachments)
        conversation.note(
            "message.received",
            CUSTOMER,
            msg_id=message.msg_id,
            seq=seq,
            message_type=message.message_type,
            after_closure=is_after_closure,
        )
        return message

    @property
    def _is_opted_out(self) -> bool:
        return self.known.address is not None and self.known.address.is_opted_out

    def _apply_consent(self, intent: OptOutIntent, message: Message) -> None:
        """Note STOP; note START only from somebody who is opted out, because "sim" also answers questions.

        A late START that was written before the opt-out takes nothing back.
        """
        opted_out = intent is OptOutIntent.STOP
        address = self.known.address
        assert address is not None
        is_outdated = not opted_out and (address.opted_out_at or self.written_at) > self.written_at
        if is_outdated or not address.is_changed_by(intent):
            return
        source = ConsentSource.PROVIDER if self.inbound.opt_out_type else ConsentSource.WORD
        evidence: dict[str, Any] = {
            "msg_id": message.msg_id,
            "provider_sid": message.provider_sid,
            "by": source.lower(),
        }
        changed = address.model_copy(
            update={
                "opted_out_at": (address.opted_out_at or self.at) if opted_out else None,
                "opt_out_evidence": evidence if opted_out else None,
            }
        )
        if self.changes.addresses:
            self.changes.addresses = [changed]
        else:
            self.changes.changed_addresses = [changed]
        self.changes.consents.append(
            NewConsent(
                address.contact_id,
                address.key,
                ConsentChange.OPTED_OUT if opted_out else ConsentChange.OPTED_IN,
                source,
                CUSTOMER,
                self.at,
                evidence,
            )
        )
        self.changes.events.append(
            NewEvent(
                "contact.opted_out" if opted_out else "contact.opted_in",
                CUSTOMER,
                conv_id=message.conv_id,
                msg_id=message.msg_id,
                contact_id=address.contact_id,
                data=evidence,
            )
        )

    def _detect_closure(self, conversation: Conversation, message: Message, *, after: timedelta) -> None:
        asked = conversation.context.get(PENDING_CLOSURE)
        if isinstance(asked, dict) and asked.get("asked") and self._settle_question(conversation, asked):
            return
        conversation.clear_suspicion("the customer went on")
        self.score = self.detector.detect(
            message.content,
            owner_id=self.owner.owner_id,
            history=self.known.history,
            context={
                **conversation.context,
                **({"button": self.inbound.button} if self.inbound.button else {}),
            },
            age=after,
            settings=self.owner.closure,
        )
        if self.score.decision is ClosureDecision.NONE:
            return
        evidence = {**self.score.as_dict(), "msg_id": message.msg_id}
        if self.owner.closure.shadow:
            conversation.note("closure.shadowed", DETECTOR, **evidence)
        elif self.score.decision is ClosureDecision.CLOSE:
            self._close(conversation, evidence)
        else:
            self._suspect(conversation, evidence)

    def _settle_question(self, conversation: Conversation, asked: dict[str, Any]) -> bool:
        """Take the customer's answer to "may I close?"; say whether it ended the conversation."""
        if datetime.fromisoformat(asked["lapses_at"]) <= self.at:
            conversation.clear_suspicion("lapsed")
            return False
        if answers_closing_question(self.inbound.content):
            self._close(conversation, {**asked, "confirmed": True})
            return True
        conversation.clear_suspicion("denied")
        return False

    def _close(self, conversation: Conversation, evidence: dict[str, Any]) -> None:
        """End it, with the owner's goodbye; the customer wrote just now, so no reply window is closed."""
        text = self.owner.texts.closing
        if text is not None and not self._is_opted_out:
            self._say_goodbye(conversation, text)
        conversation.close_by_customer(at=self.at, evidence=evidence)

    def _say_goodbye(self, conversation: Conversation, text: str) -> None:
        assert self.known.goodbye_msg_id is not None, "an id comes along where the owner has a closing text"
        goodbye = Message(
            owner_id=self.owner.owner_id,
            msg_id=self.known.goodbye_msg_id,
            conv_id=conversation.conv_id,
            seq=conversation.note_farewell(at=self.at),
            direction=MessageDirection.OUTBOUND,
            message_owner=MessageOwner.SYSTEM,
            message_type=MessageType.TEXT,
            content=text,
            delivery_status=DeliveryStatus.QUEUED,
            created_at=self.at,
            updated_at=self.at,
        )
        self.changes.messages.append(goodbye)
        conversation.note(
            "message.queued",
            SYSTEM,
            msg_id=goodbye.msg_id,
            seq=goodbye.seq,
            message_type=goodbye.message_type,
            written_by=goodbye.message_owner,
            channel=conversation.channel,
        )

    def _suspect(self, conversation: Conversation, evidence: dict[str, Any]) -> None:
        last_asked = conversation.context.get(ASKED_AT)
        asked_lately = (
            isinstance(last_asked, str)
            and datetime.fromisoformat(last_asked) > self.at - QUESTION_LAPSES_AFTER
        )
        self.asks_customer = self.owner.closure.ask and not asked_lately
        if self.asks_customer:
            conversation.context = {**conversation.context, ASKED_AT: self.at.isoformat()}
        conversation.suspect_closure(
            {**evidence, "asked": self.asks_customer}, at=self.at, lapses_at=self.at + QUESTION_LAPSES_AFTER
        )
