"""Everything that can go wrong on purpose; the modules named `…_errors` hold a part each.

OwnerError
├── InvalidInput              the request can't mean anything
│   ├── InvalidCursor
│   ├── InvalidAddress
│   ├── BrokenTransferFile
│   ├── ReservedClosureKeyword
│   ├── PasswordGuessable
│   └── IdempotencyKeyReused
├── Unauthenticated           who are you?
│   ├── SignInRejected
│   └── SecondFactorRequired
├── Forbidden                 we know you, and no
│   ├── SignatureRejected
│   ├── WebhookUrlForbidden
│   ├── PermissionMissing
│   ├── PasswordWrong
│   └── CodeRejected
├── NotFound
│   ├── ConversationNotFound
│   ├── MessageNotFound
│   ├── MediaNotFound
│   ├── TwilioAccountNotFound
│   ├── WebhookEndpointNotFound
│   ├── WebhookDeliveryNotFound
│   ├── UserNotFound
│   ├── SessionNotFound
│   ├── ApiKeyNotFound
│   ├── LinkNotFound
│   ├── ContactNotFound
│   ├── MergeNotFound
│   └── OwnerNotFound
├── Conflict                  not now, or not any more
│   ├── InvalidTransition
│   ├── ConversationClosed
│   ├── AlreadyExists
│   ├── ReplyWindowClosed
│   ├── ContactOptedOut
│   ├── AlreadyAssigned
│   ├── HandledByPerson
│   ├── TooManyLabels
│   ├── NewerMessage
│   ├── NewerConversationOpen
│   ├── WebhookEndpointDisabled
│   ├── TooManyWebhookEndpoints
│   ├── LastAdmin
│   ├── InvitationAccepted
│   ├── OwnerChoiceRequired
│   ├── ApiKeyEnded
│   ├── SecondFactorActive
│   ├── SecondFactorMissing
│   ├── ContactBlocked
│   ├── ContactMerged
│   ├── ContactErased
│   ├── AddressTaken
│   ├── AddressInUse
│   ├── MergeUndone
│   └── SenderUnknown
├── RateLimited               too much at once; `retry_after` says when again
│   └── TooManyStreams
├── PayloadTooLarge
├── UnsupportedMediaType
├── ProviderError             Twilio said no (`permanent`) or not now
├── OutcomeUnknown            we don't know whether Twilio took it
└── Unavailable               a part that we need is away
    ├── DatabaseUnavailable
    │   ├── DatabaseRefused
    │   └── DatabaseReadOnly
    ├── DatabaseBusy
    ├── DatabaseTooSlow
    ├── Collision
    ├── DatabaseFull
    ├── MediaStoreUnavailable
    ├── Overloaded
    ├── SchemaOutdated
    ├── UnsafeDatabaseRole
    ├── MailNotSent
    └── Misconfigured
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class OwnerError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None, *, field: str | None = None, **facts: object) -> None:
        self.message = message or (self.__doc__ or self.code)
        self.field = field
        self.facts: Mapping[str, object] = facts
        super().__init__(self.message)


class InvalidInput(OwnerError):
    """The request is not valid."""

    code = "invalid_input"


class InvalidCursor(InvalidInput):
    """The cursor is not one that this list gave out; start again without it."""

    code = "invalid_cursor"


class InvalidAddress(InvalidInput):
    """The address is not a phone number in international format, such as +5511987654321."""

    code = "invalid_address"


class BrokenTransferFile(InvalidInput):
    """The file is not a whole tenant as `owner tenant export` writes it."""

    code = "broken_transfer_file"

    def __init__(self, problem: str, *, line: int | None = None) -> None:
        super().__init__(f"Line {line}: {problem}" if line else problem, line=line)


class ReservedClosureKeyword(InvalidInput):
    """The word opts the customer out of all messages, so it can't close a conversation."""

    code = "reserved_closure_keyword"


class IdempotencyKeyReused(InvalidInput):
    """This Idempotency-Key came with another request before; use a new one for a new request."""

    code = "idempotency_key_reused"


class Unauthenticated(OwnerError):
    """Send a valid API key or session token as `Authorization: Bearer <key>`."""

    code = "unauthenticated"


class Forbidden(OwnerError):
    """This is not allowed."""

    code = "forbidden"


class SignatureRejected(Forbidden):
    """The request is not signed by a Twilio account that we know."""

    code = "signature_rejected"

    def __init__(self, reason: str) -> None:
        # Not a fact of the answer: it would tell a stranger which accounts are connected.
        super().__init__()
        self.reason = reason


class PermissionMissing(Forbidden):
    """The role or scopes of the caller are too low for this."""

    code = "permission_missing"

    def __init__(self, permission: str, message: str | None = None) -> None:
        super().__init__(message or f"This needs the permission {permission}.", permission=permission)


class WebhookUrlForbidden(Forbidden):
    """The host of the URL is inside a private or reserved network; the operator can allow it (`OWNER_WEBHOOK_ALLOWED_NETWORKS`)."""

    code = "webhook_url_forbidden"


class NotFound(OwnerError):
    """There is nothing here."""

    code = "not_found"


class ConversationNotFound(NotFound):
    """There is no such conversation."""

    code = "conversation_not_found"

    def __init__(self, conv_id: int) -> None:
        super().__init__(f"There is no conversation {conv_id}.", conv_id=conv_id)


class MessageNotFound(NotFound):
    """There is no such message."""

    code = "message_not_found"

    def __init__(self, msg_id: int) -> None:
        super().__init__(f"There is no message {msg_id}.", msg_id=msg_id)


class MediaNotFound(NotFound):
    """There is no such file, or it has not been fetched yet."""

    code = "media_not_found"


class WebhookEndpointNotFound(NotFound):
    """There is no such webhook endpoint."""

    code = "webhook_endpoint_not_found"

    def __init__(self, endpoint_id: int) -> None:
        super().__init__(f"There is no webhook endpoint {endpoint_id}.", endpoint_id=endpoint_id)


class WebhookDeliveryNotFound(NotFound):
    """There is no such webhook delivery."""

    code = "webhook_delivery_not_found"

    def __init__(self, delivery_id: int) -> None:
        super().__init__(f"There is no webhook delivery {delivery_id}.", delivery_id=delivery_id)


class TwilioAccountNotFound(NotFound):
    """There is no such Twilio account."""

    code = "twilio_account_not_found"

    def __init__(self, twilio_account_id: int) -> None:
        super().__init__(
            f"There is no Twilio account {twilio_account_id}.", twilio_account_id=twilio_account_id
        )


class OwnerNotFound(NotFound):
    """There is no such owner."""

    code = "owner_not_found"


class Conflict(OwnerError):
    """The state of things does not allow this."""

    code = "conflict"


class InvalidTransition(Conflict):
    """The conversation can't go from one state to the other."""

    code = "invalid_transition"

    def __init__(self, status: str, to: str) -> None:
        super().__init__(
            f"A conversation in {status} can't become {to}.", current_status=status, requested_status=to
        )


class ConversationClosed(Conflict):
    """The conversation is closed; write in a new one."""

    code = "conversation_closed"

    def __init__(self, status: str) -> None:
        super().__init__(f"The conversation is closed ({status}); open a new one.", current_status=status)


class AlreadyExists(Conflict):
    """This exists already."""

    code = "already_exists"


class ReplyWindowClosed(Conflict):
    """WhatsApp allows free text only within 24 hours of the customer's last message: send an approved template (`content_sid`)."""

    code = "reply_window_closed"


class ContactOptedOut(Conflict):
    """The customer asked not to be written to; only they can undo it, by writing START."""

    code = "contact_opted_out"


class WebhookEndpointDisabled(Conflict):
    """The webhook endpoint is disabled; enable it first."""

    code = "webhook_endpoint_disabled"

    def __init__(self, endpoint_id: int) -> None:
        super().__init__(
            f"The webhook endpoint {endpoint_id} is disabled; enable it first.", endpoint_id=endpoint_id
        )


class TooManyWebhookEndpoints(Conflict):
    """There are as many webhook endpoints as an owner can have; delete one first."""

    code = "too_many_webhook_endpoints"


class SenderUnknown(Conflict):
    """Which of your addresses sends this can't be told: name one that you have connected as `our_address`."""

    code = "sender_unknown"


class PayloadTooLarge(OwnerError):
    """The request body is larger than allowed."""

    code = "payload_too_large"


class UnsupportedMediaType(OwnerError):
    """The request body has a type that is not accepted here."""

    code = "unsupported_media_type"


class ProviderProblem(StrEnum):
    """What kind of refusal it was, and so what helps."""

    RETRY = "RETRY"  # not taken, not now: try again later
    CREDENTIALS = "CREDENTIALS"  # the account or its token: the owner has to mend it
    PERMANENT = "PERMANENT"  # this message will never go
    OPTED_OUT = "OPTED_OUT"  # the customer asked not to be written to
    WINDOW = "WINDOW"  # outside of the reply window: a template is needed
    CARRIER = "CARRIER"  # a carrier's rule


class ProviderError(OwnerError):
    """The provider refused the message."""

    code = "provider_error"

    def __init__(
        self,
        message: str,
        *,
        kind: ProviderProblem,
        provider_code: int | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, provider_code=provider_code, http_status=http_status)
        self.kind = kind
        self.provider_code = provider_code
        self.http_status = http_status
        self.retry_after = retry_after

    @property
    def permanent(self) -> bool:
        """Whether trying again can't help."""
        return self.kind not in {ProviderProblem.RETRY, ProviderProblem.CREDENTIALS}


class OutcomeUnknown(OwnerError):
    """The provider did not answer, so it may or may not have taken the message."""

    code = "outcome_unknown"


class Unavailable(OwnerError):
    """A part that this needs is not there."""

    code = "unavailable"


class DatabaseUnavailable(Unavailable):
    """The database can't be reached."""

    code = "database_unavailable"


class SchemaOutdated(Unavailable):
    """The database has another schema than this program: run `owner migrate`."""

    code = "schema_outdated"


class UnsafeDatabaseRole(Unavailable):
    """The database role bypasses row level security."""

    code = "unsafe_database_role"


class Misconfigured(Unavailable):
    """A setting is missing or wrong."""

    code = "misconfigured"
