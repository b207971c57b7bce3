"""The simulator's own API below /simulator: accounts, the customer's phone, faults."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from owner.integrations.simulator import phone
from owner.integrations.simulator.context import world_of
from owner.integrations.simulator.faults import Fault
from owner.integrations.simulator.registration import Registration
from owner.integrations.simulator.writing import Writing

Asked = TypeVar("Asked", bound=BaseModel)


async def register_account(request: Request) -> Response:
    registration = await _asked(request, Registration)
    store = world_of(request).store
    store.register(registration.account(created_at=store.now()))
    return JSONResponse(registration.model_dump(exclude={"auth_token", "secondary_auth_token"}), 201)


async def write(request: Request) -> Response:
    world, writing = world_of(request), await _asked(request, Writing)
    base_url = world.base_url(request)
    message, answer = await phone.write(world, request.path_params["address"], writing, base_url=base_url)
    return JSONResponse(
        {
            "message_sid": message.sid,
            "status_code": answer.status_code if answer else None,
            "body": answer.body if answer else "",
            "attempts": answer.attempts if answer else 0,
            "error_code": answer.error_code if answer else None,
        },
    )


async def list_phone_messages(request: Request) -> Response:
    return JSONResponse({"messages": phone.seen_on(world_of(request), request.path_params["address"])})


async def list_all_messages(request: Request) -> Response:
    messages = world_of(request).store.messages.values()
    return JSONResponse({"messages": [phone.describe(message) for message in messages]})


async def arm_fault(request: Request) -> Response:
    fault = await _asked(request, Fault)
    world_of(request).faults.armed.append(fault)
    return JSONResponse(fault.model_dump(mode="json"), 201)


async def list_faults(request: Request) -> Response:
    return JSONResponse({"faults": world_of(request).faults.listing()})


async def clear_faults(request: Request) -> Response:
    world_of(request).faults.armed.clear()
    return Response(status_code=204)


async def reset(request: Request) -> Response:
    await world_of(request).reset()
    return Response(status_code=204)


async def _asked(request: Request, form: type[Asked]) -> Asked:
    return form.model_validate_json(await request.body())


def explain(_: Request, mistake: Exception) -> Response:
    """The answer to a control request that makes no sense."""
    if isinstance(mistake, phone.NumberUnknown):
        return JSONResponse({"error": f"no registered account has the number {mistake}"}, 404)
    assert isinstance(mistake, ValidationError)
    problems = mistake.errors(include_url=False, include_context=False, include_input=False)
    return JSONResponse({"error": "the request makes no sense", "problems": problems}, 400)
