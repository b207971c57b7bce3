"""Twilio's Content API: the templates of an account, with what WhatsApp said about each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from yarl import URL

from owner.integrations.twilio.calls import TwilioCalls
from owner.integrations.twilio.hosts import product_url
from owner.models.errors import OutcomeUnknown
from owner.models.template import Template, TemplateStatus
from owner.services.ports import Credentials

_PATH: Final = "/v1/ContentAndApprovals"
_PAGE_SIZE: Final = 250
_MAXIMUM_PAGES: Final = 24  # WhatsApp allows an account 6,000 approved templates
_STATUSES: Final = {
    "approved": TemplateStatus.APPROVED,
    "received": TemplateStatus.PENDING,
    "pending": TemplateStatus.PENDING,
    "rejected": TemplateStatus.REJECTED,
    "paused": TemplateStatus.SUSPENDED,
    "disabled": TemplateStatus.SUSPENDED,
}


class TemplateReader:
    """Reads page after page; what is none of our forms is left out, never an error."""

    def __init__(self, calls: TwilioCalls, api_url: str) -> None:
        self._calls = calls
        self._url = URL(product_url(api_url, "content"))

    async def list_all(self, credentials: Credentials) -> Sequence[Template]:
        url: str | None = f"{str(self._url).rstrip('/')}{_PATH}?PageSize={_PAGE_SIZE}"
        found: list[Template] = []
        for _ in range(_MAXIMUM_PAGES):
            if url is None:
                break
            answer = await self._calls.call("GET", url, credentials)
            contents = (answer.content or {}).get("contents")
            if answer.content is None or not isinstance(contents, list):
                raise OutcomeUnknown(http_status=answer.status)
            found += [template for item in contents if (template := _template(item)) is not None]
            url = self._next(answer.content)
        return found

    def _next(self, page: Mapping[str, Any]) -> str | None:
        """Where the list goes on; the credentials go nowhere but to the API's own host."""
        url = _mapping(page.get("meta")).get("next_page_url")
        if not isinstance(url, str) or not url:
            return None
        try:
            target = URL(url, encoded=True)
        except ValueError:
            return None
        is_here = target.path == _PATH and target.query_string
        return str(self._url.with_path(_PATH).with_query(target.query)) if is_here else None


def _template(item: object) -> Template | None:
    """None for what has no text of its own, such as a carousel."""
    content = _mapping(item)
    types = _mapping(content.get("types"))
    texts = [(_text(kind, "body"), kind) for kind in map(_mapping, types.values())]
    body, kind = next(((body, kind) for body, kind in texts if body), (None, {}))
    sid = _text(content, "sid")
    if sid is None or body is None:
        return None
    approval = _mapping(content.get("approval_requests"))
    return Template(
        content_sid=sid,
        name=_text(content, "friendly_name") or _text(approval, "name") or sid,
        language=_text(content, "language") or "",
        status=_STATUSES.get((_text(approval, "status") or "").lower(), TemplateStatus.DRAFT),
        category=_text(approval, "category"),
        rejection_reason=_text(approval, "rejection_reason"),
        body=body,
        examples={str(name): str(value) for name, value in _mapping(content.get("variables")).items()},
        buttons=list(_buttons(kind)),
        has_media=bool(kind.get("media")),
    )


def _buttons(kind: Mapping[str, Any]) -> Iterator[str]:
    actions = kind.get("actions") or kind.get("items") or ()
    for action in actions if isinstance(actions, list) else ():
        title = _text(_mapping(action), "title") or _text(_mapping(action), "item")
        if title:
            yield title


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None
