"""What routes ask for: the use cases, and who is calling."""

from typing import Annotated, cast

import structlog
from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from owner.models.errors import Unauthenticated
from owner.repositories.base import MAXIMUM_PAGE
from owner.services.api_keys import Principal
from owner.services.catalog import Services

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer ok_…`")


async def services_of(request: Request) -> Services:
    """Asynchronous, because FastAPI runs other functions in a thread."""
    return cast("Services", request.state.services)


async def principal_of(
    services: Annotated[Services, Depends(services_of)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """The owner that the request's API key belongs to."""
    if credentials is None:
        raise Unauthenticated
    principal = await services.api_keys.authenticate(credentials.credentials)
    structlog.contextvars.bind_contextvars(owner_id=principal.owner_id)
    return principal


UseCases = Annotated[Services, Depends(services_of)]
Caller = Annotated[Principal, Depends(principal_of)]
Limit = Annotated[int, Query(ge=1, le=MAXIMUM_PAGE, description="How many items a page holds at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]
