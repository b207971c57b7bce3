"""Takes a message as Twilio's create does: checks in Twilio's order, accepts, answers or misbehaves."""

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from owner.integrations.simulator.addresses import channel_of, is_reachable
from owner.integrations.simulator.contents import templates_of
from owner.integrations.simulator.context import (
    Form,
    World,
    account_of,
    fall_silent,
    form_of,
    hang_up,
    world_of,
)
from owner.integrations.simulator.errors import TwilioError, is_refused_at_once
from owner.integrations.simulator.faults import AFTER_ACCEPTING, ANSWERS, BEFORE_ACCEPTING, Fault, FaultKind
from owner.integrations.simulator.opt_outs import has_opted_out
from owner.integrations.simulator.resources import message_resource
from owner.integrations.simulator.store import Account, Media, Message, Store, new_sid

LONGEST_BODY: Final = 1600
OUTSIDE_WINDOW: Final = 63016


async def create_message(request: Request) -> Response:
    world, account, form = world_of(request), account_of(request), await form_of(request)
    await world.faults.slow_down(form["To"], account.sid)
    fault = world.faults.take(ANSWERS, form["To"], account.sid)
    if fault is not None and fault.kind in BEFORE_ACCEPTING:
        return await _misbehave(request, fault)
    message = _compose(world.store, account, form)
    message.error_code = _delivery_error(world.store, message, fault)

    answer = JSONResponse(message_resource(message), status_code=201)
    await _accept(world, message)
    if fault is not None and fault.kind in AFTER_ACCEPTING:
        return await _misbehave(request, fault)
    return answer


async def _misbehave(request: Request, fault: Fault) -> Response:
    match fault.kind:
        case FaultKind.HTTP_429:
            raise TwilioError(20429, retry_after=fault.seconds)
        case FaultKind.HTTP_500 | FaultKind.HTTP_500_AFTER:
            raise TwilioError(20500)
        case FaultKind.HTTP_503:
            raise TwilioError(20503)
        case FaultKind.TIMEOUT_BEFORE | FaultKind.TIMEOUT_AFTER:
            await fall_silent(request, fault.seconds)
        case _:
            await hang_up(request)
    return Response()  # goes nowhere: nobody is left to read it


def _compose(store: Store, account: Account, form: Form) -> Message:
    recipient, service_sid = form["To"], form["MessagingServiceSid"]
    _check_recipient(recipient)
    sender = form["From"] or _sender_of_service(account, service_sid, recipient)
    _check_sender(account, sender, recipient)
    _check_content(form)
    if has_opted_out(store, account, customer=recipient, ours=sender):
        raise TwilioError(21610)

    media = [Media(sid=new_sid("ME"), content_type="", location=url) for url in form.every("MediaUrl")]
    return Message(
        sid=new_sid("MM" if media else "SM"),
        account_sid=account.sid,
        direction="outbound-api",
        sender=sender,
        recipient=recipient,
        body=form["Body"] or _render_template(account, form),
        status="accepted" if service_sid else "queued",
        created_at=store.now(),
        media=media,
        messaging_service_sid=service_sid or None,
        content_sid=form["ContentSid"] or None,
        content_variables=form["ContentVariables"] or None,
        status_callback=form["StatusCallback"] or None,
    )


def _check_recipient(recipient: str) -> None:
    if not recipient:
        raise TwilioError(21604)
    if not is_reachable(recipient):
        raise TwilioError(21211, recipient)


def _sender_of_service(account: Account, service_sid: str, recipient: str) -> str:
    if not service_sid:
        raise TwilioError(21603)
    if service_sid != account.messaging_service_sid:
        raise TwilioError(21701, service_sid)
    sender = account.sender_for(recipient)
    if sender is None:
        raise TwilioError(21703, recipient)
    return sender


def _check_sender(account: Account, sender: str, recipient: str) -> None:
    if sender == recipient:
        raise TwilioError(21266, recipient)
    if sender not in account.numbers:
        raise TwilioError(21606 if channel_of(sender) == "sms" else 63007, sender)
    if channel_of(sender) != channel_of(recipient):
        raise TwilioError(21910)


def _check_content(form: Form) -> None:
    if not (form["Body"] or form["ContentSid"] or form.every("MediaUrl")):
        raise TwilioError(21602)
    if len(form["Body"]) > LONGEST_BODY:
        raise TwilioError(21617)
    callback = form["StatusCallback"]
    if callback and not callback.startswith(("http://", "https://")):
        raise TwilioError(21609, callback)


def _render_template(account: Account, form: Form) -> str:
    template = templates_of(account).get(form["ContentSid"])
    return template.fill_in(template.body, form["ContentVariables"]) if template else ""


def _delivery_error(store: Store, message: Message, fault: Fault | None) -> int | None:
    if fault is not None and fault.error_code is not None:
        if is_refused_at_once(fault.error_code):
            raise TwilioError(fault.error_code, message.recipient)
        return fault.error_code
    if channel_of(message.recipient) != "whatsapp" or message.content_sid:
        return None
    return None if store.is_window_open(message.recipient, message.sender) else OUTSIDE_WINDOW


async def _accept(world: World, message: Message) -> None:
    board = world.faults
    tricks = board.take_callbacks(message.recipient, message.account_sid) if board.armed else {}
    world.store.add(message)
    await world.carrier.accept(message, tricks)
