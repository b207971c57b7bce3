"""What Twilio posts, in our words. Its parameter names exist here and nowhere else."""

import json
import math
import re
from binascii import a2b_qp
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from owner.integrations.twilio.errors import explain, is_known
from owner.integrations.twilio.statuses import delivery_status
from owner.models.addresses import Address, parse_address
from owner.models.enums import Channel, MessageType
from owner.models.errors import InvalidInput
from owner.models.message import Attachment, InboundMessage, StatusCallback, storable

Pairs = Sequence[tuple[str, str]]
Fields = Mapping[str, str]

MAXIMUM_FIELDS: Final = 1_000
_MAXIMUM_SID: Final = 64  # real ones have 34 characters; an index can't hold a megabyte
_MAXIMUM_ADDRESS: Final = 255
_MAXIMUM_ERROR_CODE: Final = 2**31 - 1
_BODY: Final = "Body"
_NEXT: Final = "\x1e"  # stands for &, and the other for =, which escapes may be as well
_IS: Final = "\x1f"
_CONFUSING: Final = b"\x1e\x1f\r\n"
_MEDIA_URL: Final = re.compile(r"MediaUrl([0-9]{1,4})")
_UNKNOWN_TYPE: Final = "application/octet-stream"

_DECLARED: Final[dict[str, MessageType]] = {
    "text": MessageType.TEXT,
    "image": MessageType.IMAGE,
    "audio": MessageType.AUDIO,
    "voice": MessageType.AUDIO,
    "video": MessageType.VIDEO,
    "document": MessageType.DOCUMENT,
    "sticker": MessageType.STICKER,
    "contact": MessageType.CONTACT,
    "contacts": MessageType.CONTACT,
    "location": MessageType.LOCATION,
    "button": MessageType.INTERACTIVE,
    "interactive": MessageType.INTERACTIVE,
}
_BY_MAIN_TYPE: Final = {"image": MessageType.IMAGE, "audio": MessageType.AUDIO, "video": MessageType.VIDEO}
_BY_CONTENT_TYPE: Final = {
    "application/ogg": MessageType.AUDIO,
    "text/directory": MessageType.CONTACT,
    "text/vcard": MessageType.CONTACT,
    "text/x-vcard": MessageType.CONTACT,
}
_MEDIA_TYPES: Final = frozenset(_BY_MAIN_TYPE.values()) | {
    MessageType.DOCUMENT,
    MessageType.STICKER,
    MessageType.CONTACT,
}
_REFERRAL: Final = {
    "ReferralBody": "body",
    "ReferralHeadline": "headline",
    "ReferralSourceId": "source_id",
    "ReferralSourceType": "source_type",
    "ReferralSourceUrl": "source_url",
    "ReferralMediaId": "media_id",
    "ReferralMediaContentType": "media_content_type",
    "ReferralMediaUrl": "media_url",
    "ReferralCtwaClid": "click_id",
}


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """Every field in its order: blank values, repeated names and broken UTF-8 included.

    Raises:
        InvalidInput: there are too many fields.
    """
    if body.count(b"&") >= MAXIMUM_FIELDS:
        raise InvalidInput(f"The form has more than {MAXIMUM_FIELDS} fields.")
    spaced = body.replace(b"+", b" ")
    fields = _decoded_at_once(spaced)
    if fields is not None:
        return [
            (name, value.replace(_IS, "="))
            for name, _, value in [field.partition(_IS) for field in fields if field]
        ]
    return [
        (_decoded(name), _decoded(value))
        for name, _, value in [field.partition(b"=") for field in spaced.split(b"&") if field]
    ]


def account_sid(pairs: Pairs) -> str:
    """Whose webhook it says that it is; empty where it doesn't say."""
    claimed = next((value for name, value in pairs if name == "AccountSid"), "")
    return _storable_text(claimed[:_MAXIMUM_SID])


def addresses(pairs: Pairs) -> list[Address]:
    """Who it says that it is for and from; the first of each, as in a message."""
    fields = dict(reversed(_storable(pairs)[0]))
    return [parse_address(fields[name]) for name in ("To", "From") if fields.get(name)]


def inbound_message(pairs: Pairs) -> InboundMessage:
    """A message from a customer; whatever is odd about it is kept in `metadata`.

    Raises:
        InvalidInput: it has no SID or no addresses, so there is nothing to store it under.
    """
    pairs, nul_replaced = _storable(pairs)
    fields = dict(reversed(pairs))  # of a repeated name the first counts
    customer, company = _address(fields, "From"), _address(fields, "To")
    attachments, location, button = _attachments(fields), _location(fields), _button(fields)
    return InboundMessage(
        provider_sid=_sid(fields),
        customer=customer,
        company=company,
        content=fields.get(_BODY) or fields.get("ButtonText") or fields.get("ListTitle") or "",
        message_type=_message_type(fields, customer.channel, attachments, location, button),
        attachments=attachments,
        profile_name=fields.get("ProfileName") or None,
        button=button,
        opt_out_type=fields.get("OptOutType") or None,
        messaging_service_sid=fields.get("MessagingServiceSid") or None,
        metadata=_metadata(pairs, fields, location, nul_replaced=nul_replaced),
    )


def status_callback(pairs: Pairs, msg_id: int | None) -> StatusCallback:
    """How far one of our messages got; `msg_id` comes from the callback's URL.

    Raises:
        InvalidInput: it has no SID.
    """
    fields = dict(reversed(_storable(pairs)[0]))
    error_code = _error_code(fields.get("ErrorCode", ""))
    return StatusCallback(
        provider_sid=_sid(fields),
        status=delivery_status(fields.get("MessageStatus") or fields.get("SmsStatus")),
        msg_id=msg_id,
        error_code=error_code,
        error_message=_error_message(fields, error_code),
    )


def _decoded_at_once(form: bytes) -> list[str] | None:
    """The fields of a form, each with `_IS` between name and value; None where that can't be told apart.

    Percent escapes are read as quoted-printable, which is the same with another sign and done in C. The two differ
    in broken escapes, where the length gives it away, and at bare line breaks.
    """
    if b"%1" in form or len(form.translate(None, _CONFUSING)) < len(form):
        return None
    marked = form.replace(b"=", _IS.encode()).replace(b"&", _NEXT.encode())
    raw = a2b_qp(marked.replace(b"%", b"="))
    is_whole = len(raw) == len(marked) - 2 * marked.count(b"%")
    return raw.decode("utf-8", "replace").split(_NEXT) if is_whole else None


def _decoded(characters: bytes) -> str:
    return unquote_to_bytes(characters).decode("utf-8", "replace")


def _storable(pairs: Pairs) -> tuple[Pairs, bool]:
    """The fields as Postgres can keep them, and whether a NUL had to be replaced."""
    text = "".join([name + value for name, value in pairs])
    has_nul = "\x00" in text
    if not has_nul and _is_encodable(text):
        return pairs, False
    return [(_storable_text(name), _storable_text(value)) for name, value in pairs], has_nul


def _storable_text(text: str) -> str:
    """Text without NUL and lone surrogates; two halves of a character become one."""
    text, _ = storable(text)
    return text if _is_encodable(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sid(fields: Fields) -> str:
    sid = fields.get("MessageSid") or fields.get("SmsSid") or fields.get("SmsMessageSid") or ""
    if not 0 < len(sid) <= _MAXIMUM_SID:
        raise InvalidInput("The message has no usable SID.", field="MessageSid")
    return sid


def _address(fields: Fields, name: str) -> Address:
    address = parse_address(fields.get(name, ""))
    if not 0 < len(address.value) <= _MAXIMUM_ADDRESS:
        raise InvalidInput("The message has no usable address.", field=name)
    return address


def _attachments(fields: Fields) -> list[Attachment]:
    """The files that are there, whatever `NumMedia` says."""
    numbers = [
        match[1] for name in fields if name.startswith("MediaUrl") and (match := _MEDIA_URL.fullmatch(name))
    ]
    return [
        Attachment(url=url, content_type=fields.get(f"MediaContentType{number}") or _UNKNOWN_TYPE)
        for number in sorted(numbers, key=int)
        if (url := fields[f"MediaUrl{number}"])
    ]


def _location(fields: Fields) -> dict[str, Any] | None:
    latitude = _degrees(fields.get("Latitude", ""), limit=90)
    longitude = _degrees(fields.get("Longitude", ""), limit=180)
    if latitude is None or longitude is None:
        return None
    return {
        "latitude": latitude,
        "longitude": longitude,
        "label": fields.get("Label") or None,
        "address": fields.get("Address") or None,
    }


def _degrees(text: str, *, limit: int) -> float | None:
    try:
        degrees = float(text)
    except ValueError:
        return None
    return degrees if math.isfinite(degrees) and abs(degrees) <= limit else None


def _button(fields: Fields) -> str | None:
    """What the chosen button or list item stands for; its label when it stands for nothing else."""
    return (
        fields.get("ButtonPayload")
        or fields.get("ListId")
        or _chosen_id(fields.get("InteractiveData"))
        or fields.get("ButtonText")
        or fields.get("ListTitle")
        or None
    )


def _chosen_id(text: str | None) -> str | None:
    """The `id` in `{"type": "list_reply", "list_reply": {"id": …}}`, however deep up to the second level."""
    if not text:
        return None
    try:
        chosen = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(chosen, dict):
        return None
    for candidate in (chosen, *chosen.values()):
        if isinstance(candidate, dict) and isinstance(candidate.get("id"), str) and candidate["id"]:
            return _storable_text(candidate["id"])
    return None


def _message_type(
    fields: Fields,
    channel: Channel,
    attachments: Sequence[Attachment],
    location: Mapping[str, Any] | None,
    button: str | None,
) -> MessageType:
    word = fields.get("MessageType", "").lower()
    declared = _DECLARED.get(word, MessageType.UNSUPPORTED) if word else None
    if button or declared is MessageType.INTERACTIVE:
        return MessageType.INTERACTIVE
    if location or declared is MessageType.LOCATION:
        return MessageType.LOCATION
    if attachments:
        return _media_type(attachments[0].content_type, channel, declared)
    if fields.get(_BODY):
        return MessageType.TEXT
    return declared or MessageType.TEXT


def _media_type(content_type: str, channel: Channel, declared: MessageType | None) -> MessageType:
    plain = content_type.partition(";")[0].strip().lower()
    is_sticker = channel is Channel.WHATSAPP and plain == "image/webp" and declared is None
    if is_sticker or declared is MessageType.STICKER:
        return MessageType.STICKER
    if plain == _UNKNOWN_TYPE and declared in _MEDIA_TYPES:
        return declared
    return _BY_CONTENT_TYPE.get(plain) or _BY_MAIN_TYPE.get(plain.partition("/")[0]) or MessageType.DOCUMENT


def _metadata(
    pairs: Pairs, fields: Fields, location: Mapping[str, Any] | None, *, nul_replaced: bool
) -> dict[str, Any]:
    forwarded_often = _is_true(fields.get("FrequentlyForwarded"))
    friendly: dict[str, Any] = {
        "location": location,
        "reply_to_sid": fields.get("OriginalRepliedMessageSid"),
        "referral": {ours: fields[theirs] for theirs, ours in _REFERRAL.items() if fields.get(theirs)},
        "forwarded": forwarded_often or _is_true(fields.get("Forwarded")),
        "frequently_forwarded": forwarded_often,
        "nul_replaced": nul_replaced,
    }
    return {name: value for name, value in friendly.items() if value} | {"twilio": _provider_fields(pairs)}


def _provider_fields(pairs: Pairs) -> dict[str, str | list[str]]:
    """Everything but the body, which is stored as the message's content."""
    kept: dict[str, str | list[str]] = {}
    for name, value in pairs:
        known = kept.get(name)
        if known is None:
            kept[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            kept[name] = [known, value]
    if isinstance(kept.get(_BODY), str):
        del kept[_BODY]
    return kept


def _is_true(text: str | None) -> bool:
    return text is not None and text.lower() == "true"


def _error_code(text: str) -> int | None:
    try:
        code = int(text)
    except ValueError:
        return None
    return code if 0 < code <= _MAXIMUM_ERROR_CODE else None


def _error_message(fields: Fields, error_code: int | None) -> str | None:
    """Our sentence for an error we know, else Twilio's, else a general one."""
    if error_code is not None and is_known(error_code):
        return explain(error_code)
    theirs = fields.get("ErrorMessage") or fields.get("ChannelStatusMessage") or None
    return theirs or (explain(error_code) if error_code is not None else None)
