"""STOP, START and HELP as Twilio handles them by itself: on SMS only, as the single word."""

from typing import Final

from owner.integrations.simulator.addresses import channel_of
from owner.integrations.simulator.store import Account, Message, Store, new_sid

KEYWORDS: Final = {
    **dict.fromkeys(("STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"), "STOP"),
    **dict.fromkeys(("START", "YES", "UNSTOP"), "START"),
    **dict.fromkeys(("HELP", "INFO"), "HELP"),
}
REPLIES: Final = {
    "STOP": "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    "START": "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}


def keyword_of(message: Message) -> str | None:
    if channel_of(message.sender) != "sms":
        return None
    return KEYWORDS.get(message.body.strip().upper())


def has_opted_out(store: Store, account: Account, *, customer: str, ours: str) -> bool:
    return (customer, _scope(account, ours)) in store.opted_out


def obey(store: Store, account: Account, inbound: Message) -> None:
    """Remember what the keyword asks for and confirm it, as Twilio does without asking the application."""
    keyword = keyword_of(inbound)
    if keyword is None:
        return
    pair = (inbound.sender, _scope(account, inbound.recipient))
    if keyword == "START" and pair not in store.opted_out:
        return
    if keyword == "STOP":
        store.opted_out.add(pair)
    if keyword == "START":
        store.opted_out.remove(pair)
    _confirm(store, inbound, REPLIES[keyword])


def _scope(account: Account, ours: str) -> str:
    """An opt-out covers the number, or the whole Messaging Service that the number is in."""
    return account.messaging_service_sid or ours


def _confirm(store: Store, inbound: Message, text: str) -> None:
    store.add(
        Message(
            sid=new_sid("SM"),
            account_sid=inbound.account_sid,
            direction="outbound-reply",
            sender=inbound.recipient,
            recipient=inbound.sender,
            body=text,
            status="delivered",
            created_at=store.now(),
            sent_at=store.now(),
            messaging_service_sid=inbound.messaging_service_sid,
        ),
    )
