"""The account, its phone numbers and its Messaging Service, with the webhook URL that each of them has."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from owner.integrations.simulator.addresses import channel_of
from owner.integrations.simulator.context import account_of, caller_of, form_of, not_found, whole, world_of
from owner.integrations.simulator.resources import API, account_resource, number_resource, service_resource
from owner.integrations.simulator.store import Account, Number, Service


async def fetch_account(request: Request) -> Response:
    return JSONResponse(account_resource(account_of(request)))


async def list_numbers(request: Request) -> Response:
    account = account_of(request)
    wanted = request.query_params.get("PhoneNumber", "")
    numbers = [number for number in _phone_numbers(account) if wanted in ("", number.address)]
    size, page = (
        min(whole(request.query_params, "PageSize", 50) or 50, 1_000),
        whole(request.query_params, "Page", 0),
    )
    shown = numbers[page * size : (page + 1) * size]

    def page_uri(number: int) -> str:
        paging = {"PageSize": size, "Page": number, **({"PhoneNumber": wanted} if wanted else {})}
        return f"{API}/{account.sid}/IncomingPhoneNumbers.json?{urlencode(paging)}"

    return JSONResponse(
        {
            "end": page * size + max(len(shown) - 1, 0),
            "first_page_uri": page_uri(0),
            "incoming_phone_numbers": [number_resource(number, account) for number in shown],
            "next_page_uri": page_uri(page + 1) if len(numbers) > (page + 1) * size else None,
            "page": page,
            "page_size": size,
            "previous_page_uri": page_uri(page - 1) if page else None,
            "start": page * size,
            "uri": page_uri(page),
        },
    )


async def fetch_number(request: Request) -> Response:
    account, number = _number_of(request)
    return JSONResponse(number_resource(number, account))


async def update_number(request: Request) -> Response:
    account, number = _number_of(request)
    form = await form_of(request)
    if "SmsUrl" in form.values:
        number.sms_url = form["SmsUrl"] or None
    if "SmsMethod" in form.values:
        number.sms_method = form["SmsMethod"]
    if "SmsApplicationSid" in form.values:
        number.sms_application_sid = form["SmsApplicationSid"]
    return JSONResponse(number_resource(number, account))


async def fetch_service(request: Request) -> Response:
    account, service = _service_of(request)
    base_url = world_of(request).base_url(request)
    return JSONResponse(service_resource(service, account, base_url=base_url))


async def update_service(request: Request) -> Response:
    account, service = _service_of(request)
    form = await form_of(request)
    if "InboundRequestUrl" in form.values:
        service.inbound_request_url = form["InboundRequestUrl"] or None
    if "InboundMethod" in form.values:
        service.inbound_method = form["InboundMethod"]
    if "UseInboundWebhookOnNumber" in form.values:
        service.use_inbound_webhook_on_number = form["UseInboundWebhookOnNumber"].lower() == "true"
    base_url = world_of(request).base_url(request)
    return JSONResponse(service_resource(service, account, base_url=base_url))


def _service_of(request: Request) -> tuple[Account, Service]:
    account = caller_of(request)
    service = account.service
    if service is None or service.sid != request.path_params["service_sid"]:
        raise not_found(request)
    return account, service


def _number_of(request: Request) -> tuple[Account, Number]:
    account = account_of(request)
    for number in _phone_numbers(account):
        if number.sid == request.path_params["number_sid"]:
            return account, number
    raise not_found(request)


def _phone_numbers(account: Account) -> list[Number]:
    """WhatsApp senders and other channels are no phone numbers to Twilio."""
    return [number for number in account.numbers.values() if channel_of(number.address) == "sms"]
