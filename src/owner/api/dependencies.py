"""What routes ask for: the use cases, and who is calling."""

from typing import Annotated, cast

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPBearer

from owner.models.principal import Principal
from owner.repositories.base import MAXIMUM_PAGE
from owner.services.catalog import Services

_bearer = HTTPBearer(auto_error=False, description="An API key or a session token: `Authorization: Bearer …`")


async def services_of(request: Request) -> Services:
    """Asynchronous, because FastAPI runs other functions in a thread."""
    return cast("Services", request.state.services)


async def caller_of(request: Request, _described: Annotated[object, Security(_bearer)]) -> Principal:
    """Who calls, as `Route` found out before the route began."""
    return cast("Principal", request.state.caller)


UseCases = Annotated[Services, Depends(services_of)]
Caller = Annotated[Principal, Depends(caller_of)]
Limit = Annotated[int, Query(ge=1, le=MAXIMUM_PAGE, description="How many items a page holds at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]
