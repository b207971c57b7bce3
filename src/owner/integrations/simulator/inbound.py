"""The parameters of an inbound webhook, in the set and order that Twilio posts for each channel."""

import json
from typing import Final

from owner.integrations.simulator.addresses import CUSTOMER_CITY, OUR_CITY, channel_of, number_of, place_of
from owner.integrations.simulator.opt_outs import keyword_of
from owner.integrations.simulator.resources import API, segments_of
from owner.integrations.simulator.store import Account, Message
from owner.integrations.simulator.webhooks import Pairs
from owner.integrations.simulator.writing import Button, Writing

STICKER: Final = "image/webp"
CONTACT_CARDS: Final = ("text/vcard", "text/x-vcard")


def inbound_pairs(message: Message, writing: Writing, account: Account, *, base_url: str) -> Pairs:
    if channel_of(message.sender) == "sms":
        pairs = _sms_pairs(message, account, base_url)
    else:
        pairs = _channel_pairs(message, writing, base_url)
    return _with_extras(pairs, writing)


def _sms_pairs(message: Message, account: Account, base_url: str) -> Pairs:
    ours = place_of(message.recipient, city=OUR_CITY)
    theirs = place_of(message.sender, city=CUSTOMER_CITY)
    pairs: Pairs = [
        ("ToCountry", ours.country),
        *_media_types(message),
        ("ToState", ours.state),
        ("SmsMessageSid", message.sid),
        ("NumMedia", str(len(message.media))),
        ("ToCity", ours.city),
        ("FromZip", theirs.zip),
        ("SmsSid", message.sid),
        ("FromState", theirs.state),
        ("SmsStatus", "received"),
        ("FromCity", theirs.city),
        ("Body", message.body),
        ("FromCountry", theirs.country),
        ("To", message.recipient),
        ("ToZip", ours.zip),
        ("NumSegments", str(segments_of(message))),
        ("MessageSid", message.sid),
        ("AccountSid", message.account_sid),
        ("From", message.sender),
        *_media_urls(message, base_url),
        ("ApiVersion", "2010-04-01"),
    ]
    if message.messaging_service_sid:
        pairs.append(("MessagingServiceSid", message.messaging_service_sid))
    keyword = keyword_of(message)
    if account.advanced_opt_out and keyword:
        pairs.append(("OptOutType", keyword))
    return pairs


def _channel_pairs(message: Message, writing: Writing, base_url: str) -> Pairs:
    is_whatsapp = channel_of(message.sender) == "whatsapp"
    whatsapp_id = number_of(message.sender).removeprefix("+")
    profile_name = writing.profile_name or f"Customer {whatsapp_id[-4:]}"
    person = [("ProfileName", profile_name), ("MessageType", _message_type(message, writing))]
    return [
        *_media_types(message),
        *([("OriginalRepliedMessageSender", message.recipient)] if writing.reply_to_sid else []),
        ("SmsMessageSid", message.sid),
        ("NumMedia", str(len(message.media))),
        *(person if is_whatsapp else []),
        ("SmsSid", message.sid),
        *([("WaId", whatsapp_id)] if is_whatsapp else []),
        ("SmsStatus", "received"),
        ("Body", message.body),
        *_choice_pairs(writing),
        *_location_pairs(writing),
        ("To", message.recipient),
        ("NumSegments", "1"),
        *(_referral_pairs(writing) if is_whatsapp else []),
        ("MessageSid", message.sid),
        ("AccountSid", message.account_sid),
        *([("OriginalRepliedMessageSid", writing.reply_to_sid)] if writing.reply_to_sid else []),
        *([("ChannelMetadata", _metadata(profile_name, whatsapp_id, writing.button))] if is_whatsapp else []),
        ("From", message.sender),
        *_media_urls(message, base_url),
        ("ApiVersion", "2010-04-01"),
    ]


def _message_type(message: Message, writing: Writing) -> str:
    if writing.location:
        return "location"
    if writing.button:
        return "button" if writing.button.type else "interactive"
    if writing.list_item:
        return "interactive"
    return _media_type(message.media[0].content_type.partition(";")[0]) if message.media else "text"


def _media_type(content_type: str) -> str:
    if content_type == STICKER:
        return "sticker"
    if content_type in CONTACT_CARDS:
        return "contacts"
    kind = content_type.partition("/")[0]
    return kind if kind in ("image", "video", "audio") else "document"


def _choice_pairs(writing: Writing) -> Pairs:
    pairs: Pairs = []
    if button := writing.button:
        pairs += [("ButtonText", button.text), ("ButtonPayload", button.payload)]
        pairs += [("ButtonType", button.type)] if button.type else []
    if item := writing.list_item:
        pairs += [("ListTitle", item.title), ("ListId", item.id)]
        pairs += [("ListDescription", item.description)] if item.description else []
    return pairs


def _location_pairs(writing: Writing) -> Pairs:
    if (place := writing.location) is None:
        return []
    pairs: Pairs = [("Latitude", str(place.latitude)), ("Longitude", str(place.longitude))]
    pairs += [("Address", place.address)] if place.address else []
    pairs += [("Label", place.label)] if place.label else []
    return pairs


def _referral_pairs(writing: Writing) -> Pairs:
    """`source_id` of the click-to-WhatsApp advertisement is Twilio's ReferralSourceId, and so on."""
    given = writing.referral or {}
    pairs = [("Referral" + name.title().replace("_", ""), value) for name, value in given.items()]
    return [*pairs, ("ReferralNumMedia", "1" if "media_url" in given else "0")]


def _metadata(profile_name: str, whatsapp_id: str, button: Button | None) -> str:
    context = {"ButtonText": button.text} if button else {}
    context |= {"ProfileName": profile_name, "WaId": whatsapp_id}
    described = {"type": "whatsapp", "data": {"context": context}}
    return json.dumps(described, ensure_ascii=False, separators=(",", ":"))


def _media_types(message: Message) -> Pairs:
    return [(f"MediaContentType{at}", media.content_type) for at, media in enumerate(message.media)]


def _media_urls(message: Message, base_url: str) -> Pairs:
    folder = f"{base_url}{API}/{message.account_sid}/Messages/{message.sid}/Media"
    return [(f"MediaUrl{at}", f"{folder}/{media.sid}") for at, media in enumerate(message.media)]


def _with_extras(pairs: Pairs, writing: Writing) -> Pairs:
    """An object replaces or adds, one value per name; a list adds, and names may repeat."""
    if isinstance(writing.params, list):
        return pairs + writing.params
    kept = [(name, value) for name, value in pairs if name not in writing.params]
    return kept + list(writing.params.items())
