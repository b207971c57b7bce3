"""Where a request comes from, for limits and for people who look at their sessions."""

from typing import Annotated, Final

from fastapi import Depends, Request

from owner.api.dependencies import UseCases
from owner.models.session import Visitor

_LONGEST_USER_AGENT: Final = 300


async def visitor_of(request: Request, services: UseCases) -> Visitor:
    peer = request.client.host if request.client else None
    address = services.trusted_proxies.caller(peer, request.headers.getlist("x-forwarded-for"))
    agent = "".join(filter(str.isprintable, request.headers.get("user-agent", "")))
    return Visitor(address, agent[:_LONGEST_USER_AGENT] or None)


From = Annotated[Visitor, Depends(visitor_of)]
