"""The account and its phone numbers, with the webhook URL that each number has."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from owner.integrations.simulator.addresses import channel_of
from owner.integrations.simulator.context import account_of, form_of, not_found
from owner.integrations.simulator.resources import API, account_resource, number_resource
from owner.integrations.simulator.store import Account, Number


async def fetch_account(request: Request) -> Response:
    return JSONResponse(account_resource(account_of(request)))


async def list_numbers(request: Request) -> Response:
    account = account_of(request)
    wanted = request.query_params.get("PhoneNumber", "")
    numbers = [number for number in _phone_numbers(account) if wanted in ("", number.address)]
    return JSONResponse(
        {
            "end": max(len(numbers) - 1, 0),
            "first_page_uri": f"{API}/{account.sid}/IncomingPhoneNumbers.json?PageSize=50&Page=0",
            "incoming_phone_numbers": [number_resource(number, account) for number in numbers],
            "next_page_uri": None,
            "page": 0,
            "page_size": 50,
            "previous_page_uri": None,
            "start": 0,
            "uri": f"{API}/{account.sid}/IncomingPhoneNumbers.json?PageSize=50&Page=0",
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
    return JSONResponse(number_resource(number, account))


def _number_of(request: Request) -> tuple[Account, Number]:
    account = account_of(request)
    for number in _phone_numbers(account):
        if number.sid == request.path_params["number_sid"]:
            return account, number
    raise not_found(request)


def _phone_numbers(account: Account) -> list[Number]:
    """WhatsApp senders and other channels are no phone numbers to Twilio."""
    return [number for number in account.numbers.values() if channel_of(number.address) == "sms"]
