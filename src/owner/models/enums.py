"""The words of the domain; each member's sentence says what it means."""

from enum import StrEnum


class ConversationStatus(StrEnum):
    """Where a conversation is in its life; `lifecycle.TRANSITIONS` says what may follow what."""

    PENDING = "PENDING"  # the customer wrote, nobody has answered
    PROGRESS = "PROGRESS"  # an agent, support or AI has answered, or we wrote first
    AGENT_CLOSED = "AGENT_CLOSED"  # an agent ended it
    SUPPORT_CLOSED = "SUPPORT_CLOSED"  # a supervisor ended it
    USER_CLOSED = "USER_CLOSED"  # the customer said that it is over
    EXPIRED = "EXPIRED"  # it reached its maximum age
    FAILED = "FAILED"  # a system reason, named in `closed_reason`
    IDLE_TIMEOUT = "IDLE_TIMEOUT"  # the customer left our last word unanswered for too long


class MessageOwner(StrEnum):
    """Who wrote a message. Not to be confused with `Owner`, the tenant."""

    USER = "USER"  # the customer
    AGENT = "AGENT"  # a person who answers
    SUPPORT = "SUPPORT"  # a person who supervises
    AI = "AI"  # a model
    SYSTEM = "SYSTEM"  # the product itself, as when it asks whether it may close


class MessageDirection(StrEnum):
    """Seen from the company."""

    INBOUND = "INBOUND"  # from the customer
    OUTBOUND = "OUTBOUND"  # to the customer


class MessageType(StrEnum):
    """What a message holds; a kind that we don't know is kept as UNSUPPORTED, never refused."""

    TEXT = "TEXT"
    IMAGE = "IMAGE"
    AUDIO = "AUDIO"
    VIDEO = "VIDEO"
    DOCUMENT = "DOCUMENT"
    STICKER = "STICKER"
    CONTACT = "CONTACT"
    LOCATION = "LOCATION"
    INTERACTIVE = "INTERACTIVE"  # a pressed button or a chosen list item
    TEMPLATE = "TEMPLATE"  # an approved text sent by its ContentSid
    UNSUPPORTED = "UNSUPPORTED"


class Channel(StrEnum):
    """How a message travels."""

    SMS = "SMS"  # text and picture messages of the phone network
    WHATSAPP = "WHATSAPP"
    MESSENGER = "MESSENGER"
    RCS = "RCS"
    OTHER = "OTHER"  # a prefix that Twilio added after this was written


class DeliveryStatus(StrEnum):
    """How far a message got; `delivery.RANK` orders them."""

    RECEIVED = "RECEIVED"  # inbound, stored
    ACCEPTED = "ACCEPTED"  # Twilio will choose a sender
    SCHEDULED = "SCHEDULED"  # Twilio will send it later
    QUEUED = "QUEUED"  # stored here or at Twilio, not sent yet
    SENDING = "SENDING"  # on its way to the carrier
    SENT = "SENT"  # the carrier took it
    DELIVERED = "DELIVERED"  # the phone has it
    READ = "READ"  # the customer opened it
    UNDELIVERED = "UNDELIVERED"  # the carrier gave it back
    FAILED = "FAILED"  # it was not sent
    CANCELED = "CANCELED"  # a scheduled message was called off


class UserRole(StrEnum):
    """What a person of the company may do."""

    ADMIN = "ADMIN"  # configures
    SUPPORT = "SUPPORT"  # supervises, closes as SUPPORT_CLOSED
    AGENT = "AGENT"  # works conversations, closes as AGENT_CLOSED
    VIEWER = "VIEWER"  # reads


class Handler(StrEnum):
    """Whose turn it is to answer."""

    PERSON = "PERSON"
    BOT = "BOT"


class Priority(StrEnum):
    """How soon a conversation should be answered."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"
    URGENT = "URGENT"


class ActorKind(StrEnum):
    """Who or what caused an event."""

    CUSTOMER = "CUSTOMER"  # the person on the phone
    USER = "USER"  # a person of the company, signed in
    API_KEY = "API_KEY"  # a program of the company
    PLATFORM = "PLATFORM"  # the operator, by a platform key
    DETECTOR = "DETECTOR"  # the closure detector, from the customer's words
    TIMER = "TIMER"  # expiry or idleness
    PROVIDER = "PROVIDER"  # Twilio, by a callback or an error
    SYSTEM = "SYSTEM"  # the product itself


class ConsentChange(StrEnum):
    """What changed."""

    OPTED_OUT = "OPTED_OUT"  # no more messages
    OPTED_IN = "OPTED_IN"  # messages again


class ConsentSource(StrEnum):
    """Where a change came from."""

    WORD = "WORD"  # the customer wrote STOP, START or their like
    PROVIDER = "PROVIDER"  # Twilio says so
    AGENT = "AGENT"  # a person of the company, on the customer's behalf
    API = "API"  # a program of the company, on the customer's behalf
    IMPORT = "IMPORT"  # a list from elsewhere

    @property
    def is_customers_own(self) -> bool:
        """Whether only the customer can take it back."""
        return self in {ConsentSource.WORD, ConsentSource.PROVIDER}
