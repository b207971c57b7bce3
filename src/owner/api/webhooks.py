"""What Twilio calls. Raw requests: the signature is over what came, not over what a model made of it."""

from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import Counter

from owner.api.dependencies import UseCases
from owner.api.openapi import PROBLEM, operation_name
from owner.api.webhook_forms import FORM, INBOUND_FORM, STATUS_FORM, with_key
from owner.integrations.twilio.forms import account_sid, inbound_message, parse_form, status_callback
from owner.integrations.twilio.signature import public_url
from owner.models.errors import SignatureRejected, UnsupportedMediaType
from owner.services.catalog import Services
from owner.services.twilio_accounts import AccountAccess
from owner.services.webhooks import SignedRequest

_TWIML: Final = Response('<?xml version="1.0" encoding="UTF-8"?><Response/>', media_type="text/xml")
RECEIVED: Final = Counter("owner_webhooks_total", "Webhooks by what became of them", ["kind", "outcome"])
_STORED: Final = RECEIVED.labels("inbound", "stored")
MAXIMUM_ID: Final = 2**63 - 1
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    403: {"description": "Not signed by a connected account.", **PROBLEM},
    413: {"description": "Larger than 1 MB.", **PROBLEM},
    415: {"description": "Not a form.", **PROBLEM},
    503: {"description": "The database is away, or everything is busy: come again.", **PROBLEM},
}

router = APIRouter(
    prefix="/webhooks/twilio",
    tags=["webhooks"],
    generate_unique_id_function=operation_name,
    responses=_PROBLEMS,
)


@router.post("/inbound", response_class=Response, openapi_extra=INBOUND_FORM)
@router.post(
    "/{webhook_key}/inbound",
    name="receive_inbound_by_key",
    response_class=Response,
    openapi_extra=with_key(INBOUND_FORM),
)
async def receive_inbound(request: Request, services: UseCases) -> Response:
    """A customer's message: 200 with empty TwiML once it is committed, and again if it comes again."""
    signed, signers = await _authenticate(request, services, "inbound")
    inbound = inbound_message(signed.pairs)
    recipient = await services.webhooks.find_recipient(signed, signers, inbound)
    if recipient is None:
        RECEIVED.labels("inbound", "quarantined").inc()
        return _TWIML
    await services.inbound.receive(
        inbound, owner=recipient.owner, twilio_account_id=recipient.account.twilio_account_id
    )
    _STORED.inc()
    return _TWIML


@router.post("/status", response_class=Response, status_code=HTTPStatus.NO_CONTENT, openapi_extra=STATUS_FORM)
@router.post(
    "/{webhook_key}/status",
    name="receive_status_by_key",
    response_class=Response,
    status_code=HTTPStatus.NO_CONTENT,
    openapi_extra=with_key(STATUS_FORM),
)
async def receive_status(request: Request, services: UseCases) -> Response:
    """A delivery status: 204, also for a message that is not ours."""
    signed, signers = await _authenticate(request, services, "status")
    msg_id = request.query_params.get("msg_id", "")
    ours = (
        int(msg_id) if msg_id.isascii() and msg_id.isdigit() and len(msg_id) < len(str(MAXIMUM_ID)) else None
    )
    callback = status_callback(signed.pairs, ours)
    known = [await services.delivery_statuses.record(signer.owner.owner_id, callback) for signer in signers]
    RECEIVED.labels("status", "stored" if any(known) else "unknown").inc()
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _authenticate(
    request: Request, services: Services, kind: str
) -> tuple[SignedRequest, list[AccountAccess]]:
    """The request as it was signed, and the accounts that can have signed it."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise UnsupportedMediaType(f"Send {FORM}, as Twilio does.")
    signed = await _read(request, services)
    try:
        signers = await services.webhooks.authenticate(signed)
    except SignatureRejected as refusal:
        RECEIVED.labels(kind, refusal.reason.lower()).inc()
        raise
    structlog.contextvars.bind_contextvars(owner_id=signers[0].owner.owner_id)
    return signed, signers


async def _read(request: Request, services: Services) -> SignedRequest:
    body = await request.body()
    pairs = parse_form(body)
    path = request.scope.get("raw_path") or request.scope["path"].encode()
    return SignedRequest(
        url=public_url(services.public_url, path, request.scope["query_string"]),
        path=request.scope["path"],
        pairs=pairs,
        signature=request.headers.get("x-twilio-signature"),
        account_sid=account_sid(pairs),
        webhook_key=request.path_params.get("webhook_key"),
        raw_body=body,
    )
