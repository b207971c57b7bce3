"""Twilio's words for how far a message got, in ours."""

from typing import Final

from owner.models.enums import DeliveryStatus

DELIVERY_STATUS: Final[dict[str, DeliveryStatus]] = {
    "accepted": DeliveryStatus.ACCEPTED,
    "scheduled": DeliveryStatus.SCHEDULED,
    "queued": DeliveryStatus.QUEUED,
    "sending": DeliveryStatus.SENDING,
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "undelivered": DeliveryStatus.UNDELIVERED,
    "failed": DeliveryStatus.FAILED,
    "canceled": DeliveryStatus.CANCELED,
    "partially_delivered": DeliveryStatus.SENT,  # some recipients of a group have it, not all
    "delivery_unknown": DeliveryStatus.SENT,  # Messaging Insights: the carrier never said more
    "receiving": DeliveryStatus.RECEIVED,  # inbound, as the next
    "received": DeliveryStatus.RECEIVED,
}


def delivery_status(word: object) -> DeliveryStatus | None:
    """Our word for Twilio's, None for one that came after this was written."""
    return DELIVERY_STATUS.get(word.strip().lower()) if isinstance(word, str) else None
