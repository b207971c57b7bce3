"""Twilio's Content API: the templates of an account, with what WhatsApp said about each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from yarl import URL

from owner.integrations.twilio.calls import TwilioCalls
from owner.integrations.twilio.hosts import product_url
from owner.models.errors import OutcomeUnknown
from owner.models.template import Template, TemplateButton, TemplateCard, TemplateLook, TemplateStatus
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
    """None for what has no words of its own, such as a code to sign in with, whose text is WhatsApp's."""
    content = _mapping(item)
    approval = _mapping(content.get("approval_requests"))
    kind, body = _content(_mapping(content.get("types")), _text(approval, "content_type"))
    look = _look(kind)
    sid = _text(content, "sid")
    if sid is None or not (body or look.cards):
        return None
    return Template(
        content_sid=sid,
        name=_text(content, "friendly_name") or _text(approval, "name") or sid,
        language=_text(content, "language") or "",
        status=_STATUSES.get((_text(approval, "status") or "").lower(), TemplateStatus.DRAFT),
        category=_text(approval, "category"),
        rejection_reason=_text(approval, "rejection_reason"),
        body=body,
        examples={str(name): str(value) for name, value in _mapping(content.get("variables")).items()},
        look=look,
        has_media=bool(kind.get("media")),
    )


def _content(types: Mapping[str, Any], approved: str | None) -> tuple[Mapping[str, Any], str]:
    """A content may have a form for each channel: the one that was approved, else the first that says something."""
    forms = [_mapping(types.get(name)) for name in (approved, *types) if name is not None]
    said = ((form, _words(form, "header_text", "title", "body")) for form in forms)
    return next(((form, words) for form, words in said if words or form.get("cards")), ({}, ""))


def _look(kind: Mapping[str, Any]) -> TemplateLook:
    return TemplateLook(
        footer=_text(kind, "footer") or _text(kind, "subtitle"),
        menu=_text(kind, "button"),
        buttons=list(_buttons(kind)),
        cards=[_card(card) for card in map(_mapping, _items(kind, "cards")) if card],
    )


def _card(card: Mapping[str, Any]) -> TemplateCard:
    return TemplateCard(
        title=_text(card, "title"),
        body=_text(card, "body"),
        media=_text(card, "media"),
        buttons=list(_buttons(card)),
    )


def _buttons(kind: Mapping[str, Any]) -> Iterator[TemplateButton]:
    for action in map(_mapping, (*_items(kind, "actions"), *_items(kind, "items"))):
        title = _text(action, "title") or _text(action, "item")
        if title:
            yield TemplateButton(
                title=title,
                opens=_text(action, "url") or _text(action, "phone") or _text(action, "code"),
                description=_text(action, "description"),
            )
    if title := _text(kind, "button_text"):  # of a form that opens inside the chat
        yield TemplateButton(title=title)


def _items(kind: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = kind.get(name)
    return value if isinstance(value, list) else ()


def _words(kind: Mapping[str, Any], *names: str) -> str:
    return "\n".join(words for name in names if (words := _text(kind, name)))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None
