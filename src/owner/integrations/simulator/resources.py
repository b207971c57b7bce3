"""The JSON of Twilio's resources, field by field as the 2010-04-01 API writes it."""

from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from owner.integrations.simulator.addresses import channel_of
from owner.integrations.simulator.errors import delivery_sentence
from owner.integrations.simulator.store import Account, Media, Message, Number, Service
from owner.models.segments import count_segments

API = "/2010-04-01/Accounts"


def message_resource(message: Message) -> dict[str, Any]:
    uri = f"{API}/{message.account_sid}/Messages/{message.sid}"
    is_undecided = message.status == "accepted"  # the Messaging Service has not picked a sender yet
    return {
        "account_sid": message.account_sid,
        "api_version": "2010-04-01",
        "body": message.body,
        "date_created": rfc2822(message.created_at),
        "date_sent": rfc2822(message.sent_at),
        "date_updated": rfc2822(message.updated_at or message.created_at),
        "direction": message.direction,
        "error_code": message.error_code if message.status in ("failed", "undelivered") else None,
        "error_message": _error_message(message),
        "from": None if is_undecided else message.sender,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": str(len(message.media)),
        "num_segments": "0" if is_undecided else str(segments_of(message)),
        "price": None,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.recipient,
        "uri": f"{uri}.json",
    }


def segments_of(message: Message) -> int:
    return count_segments(message.body) if channel_of(message.recipient) == "sms" else 1


def media_resource(media: Media, message: Message) -> dict[str, Any]:
    return {
        "account_sid": message.account_sid,
        "content_type": media.content_type,
        "date_created": rfc2822(message.created_at),
        "date_updated": rfc2822(message.created_at),
        "parent_sid": message.sid,
        "sid": media.sid,
        "uri": f"{API}/{message.account_sid}/Messages/{message.sid}/Media/{media.sid}.json",
    }


def account_resource(account: Account) -> dict[str, Any]:
    uri = f"{API}/{account.sid}"
    return {
        "auth_token": account.auth_token,
        "date_created": rfc2822(account.created_at),
        "date_updated": rfc2822(account.created_at),
        "friendly_name": "Simulated account",
        "owner_account_sid": account.sid,
        "sid": account.sid,
        "status": "active",
        "subresource_uris": {
            "incoming_phone_numbers": f"{uri}/IncomingPhoneNumbers.json",
            "messages": f"{uri}/Messages.json",
        },
        "type": "Full",
        "uri": f"{uri}.json",
    }


def number_resource(number: Number, account: Account) -> dict[str, Any]:
    return {
        "account_sid": account.sid,
        "api_version": "2010-04-01",
        "capabilities": {"fax": False, "mms": True, "sms": True, "voice": True},
        "date_created": rfc2822(account.created_at),
        "date_updated": rfc2822(account.created_at),
        "friendly_name": number.address,
        "phone_number": number.address,
        "sid": number.sid,
        "sms_application_sid": number.sms_application_sid,
        "sms_fallback_method": "POST",
        "sms_fallback_url": "",
        "sms_method": number.sms_method,
        "sms_url": account.number_url(number.address) or "",
        "status": "in-use",
        "status_callback": "",
        "status_callback_method": "POST",
        "uri": f"{API}/{account.sid}/IncomingPhoneNumbers/{number.sid}.json",
    }


def service_resource(service: Service, account: Account, *, base_url: str) -> dict[str, Any]:
    url = f"{base_url}/v1/Services/{service.sid}"
    created_at = account.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "account_sid": account.sid,
        "area_code_geomatch": True,
        "date_created": created_at,
        "date_updated": created_at,
        "fallback_method": "POST",
        "fallback_to_long_code": True,
        "fallback_url": None,
        "friendly_name": "Simulated service",
        "inbound_method": service.inbound_method,
        "inbound_request_url": service.inbound_request_url,
        "links": {"phone_numbers": f"{url}/PhoneNumbers", "short_codes": f"{url}/ShortCodes"},
        "mms_converter": True,
        "scan_message_content": "inherit",
        "sid": service.sid,
        "smart_encoding": True,
        "status_callback": None,
        "sticky_sender": True,
        "synchronous_validation": False,
        "url": url,
        "us_app_to_person_registered": False,
        "use_inbound_webhook_on_number": service.use_inbound_webhook_on_number,
        "usecase": "undeclared",
        "validity_period": 36_000,
    }


@lru_cache(maxsize=1024)
def rfc2822(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at)


def _error_message(message: Message) -> str | None:
    if message.error_code is None or message.status not in ("failed", "undelivered"):
        return None
    return delivery_sentence(message.error_code)
