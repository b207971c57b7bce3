"""Whatever comes in: read, or refused as what it is; never anything else."""

import json
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from fuzzing import LONG, QUICK, Property
from owner.integrations.twilio.forms import account_sid, inbound_message, parse_form, status_callback
from owner.integrations.twilio.signature import public_url, verify
from owner.models.addresses import canonical, parse_address, parse_phone_number
from owner.models.closure import Turn, answers_closing_question, is_courtesy, score
from owner.models.errors import InvalidAddress, InvalidCursor, InvalidInput
from owner.repositories.base import read_cursor, read_position, write_cursor

NAMES: Final = (
    "MessageSid", "AccountSid", "From", "To", "Body", "NumMedia", "MediaUrl0", "MediaContentType0", "Latitude",
    "Longitude", "ButtonPayload", "InteractiveData", "MessageStatus", "ErrorCode", "MessageType", "ProfileName",
)  # fmt: skip
TOKEN: Final = "0123456789abcdef0123456789abcdef"


def check_form(raw: str) -> None:
    """A form is read as the standard library reads it, and what is made of it can be stored."""
    body = raw.encode("latin-1")
    pairs = parse_form(body)

    split = [field.partition(b"=") for field in body.split(b"&") if field]
    assert pairs == [(_standard(name), _standard(value)) for name, _, value in split]
    _storable(account_sid(pairs))
    for make in (inbound_message, lambda pairs: status_callback(pairs, None)):
        try:
            made = make(pairs)
        except InvalidInput:
            continue
        _storable(json.dumps(made.model_dump(mode="json"), ensure_ascii=False))


def _standard(part: bytes) -> str:
    return unquote_to_bytes(part.replace(b"+", b" ")).decode("utf-8", "replace")


def _storable(text: str) -> None:
    assert "\x00" not in text
    assert "\\u0000" not in text.replace("\\\\", "")  # in JSON; who types the escape itself may
    text.encode()


def check_signature(given: list[Any]) -> None:
    """What Twilio's library signs is let in; with anything changed, or signed by nobody, it is not."""
    url, pairs, garbage = given[0], [(name, value) for name, value in given[1]], given[2]
    assert not verify(url, pairs, garbage, [TOKEN], raw_body=garbage.encode("utf-8", "replace"))
    assert not verify(url, pairs, garbage, [])
    assert not verify(url, pairs, garbage, [""])
    if not _can_be_sent(url, pairs):
        return
    form: dict[str, Any] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    signature = RequestValidator(TOKEN).compute_signature(url, _Repeated(form))
    assert verify(url, pairs, signature, ["another", TOKEN])
    assert not verify(url, pairs, signature, ["another"])
    assert not verify(url, [*pairs, ("Zz", "added")], signature, [TOKEN])
    assert not verify(url + "x", pairs, signature, [TOKEN])


def _can_be_sent(url: str, pairs: list[tuple[str, str]]) -> bool:
    try:
        "".join([url, *map("".join, pairs)]).encode()
    except UnicodeEncodeError:
        return False
    return True


class _Repeated(dict[str, list[str]]):
    def getall(self, name: str) -> list[str]:
        return self[name]


def check_phone_number(raw: str) -> None:
    """A number has one form, which is read as itself; a customer's address is never lost."""
    received = parse_address(raw)
    assert canonical(canonical(received)) == canonical(received)
    if any(character.isalpha() for character in received.value):
        assert canonical(received) == received  # a name is no number, and two names are two people
    try:
        typed = parse_phone_number(raw)
    except InvalidAddress:
        return
    _storable(typed.value)
    assert parse_phone_number(str(typed)) == typed
    assert canonical(canonical(typed)) == canonical(typed)


def check_closure(given: list[Any]) -> None:
    """Any conversation can be judged, with figures between 0 and 1 and signals that can be stored."""
    history = [Turn(speaker, text) for speaker, text in given[0]]
    found = score(history, given[1])
    figures = (found.confidence, found.keyword_score, found.pattern_score, found.context_score)
    assert all(0 <= figure <= 1 for figure in figures)
    assert score(history, given[1]) == found
    assert is_courtesy(given[1]) in {True, False}
    assert answers_closing_question(given[1]) in {True, False, None}


def check_cursor(given: list[Any]) -> None:
    """A cursor means its place in its own list; whatever else it is given, a list refuses it."""
    position, at, character, garbage = given
    cursor = write_cursor(position, "one list")
    assert read_cursor(cursor, "one list") == position
    place = min(at, len(cursor) - 1)
    for other in (
        garbage,
        cursor[:place],
        cursor[:place] + character + cursor[place + 1 :],
        cursor + character,
    ):
        for read in (read_cursor, read_position):
            try:
                found = read(other, "one list")
            except InvalidCursor:
                continue
            assert found == position  # only where the changed bits mean nothing
    with pytest.raises(InvalidCursor):
        read_cursor(cursor, "another list")


def check_url(given: list[str]) -> None:
    """The URL that Twilio signed is the configured one, with path and query as they came."""
    base, path, query = given
    url = public_url(base, path.encode("latin-1"), query.encode("latin-1"))
    assert url.startswith(base.rstrip("/"))
    assert ("?" in url[len(base.rstrip("/")) :]) >= bool(query)


anything = st.text(max_size=200)
with_halves = st.text(st.characters(exclude_categories=()), max_size=60)
raw_bytes = st.binary(max_size=300).map(lambda raw: raw.decode("latin-1"))
escaped = st.text("abc%0189+&=;\x00ÿ\r\n", max_size=120)
likely = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.one_of(raw_bytes, escaped, st.just("SM1"), st.just("+5511987654321"))
    ),
    max_size=12,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
urls = st.one_of(
    anything,
    st.builds(
        "{}://{}{}{}{}".format,
        st.sampled_from(("http", "https", "HTTPS", "")),
        st.sampled_from(("owner.example", "[::1]", "user:pw@owner.example", "xn--a", "")),
        st.sampled_from(("", ":443", ":80", ":8443", ":99999", ":", ":x")),
        st.sampled_from(("", "/", "/webhooks/twilio/inbound", "/%2e%2e/ü")),
        st.sampled_from(("", "?", "?a=1&a=2", "?bodySHA256=00", "#part", "?q#part")),
    ),
)
pairs = st.lists(st.lists(st.one_of(anything, with_halves), min_size=2, max_size=2), max_size=6)
numbers = st.one_of(
    anything,
    with_halves,
    st.text("+0123456789 ()-.:whatspsmr²٣\uff15", max_size=24),
    anything.map("+{}".format),
    st.from_regex(r"(whatsapp:)?\+55 ?\(?[1-9]{2}\)? ?9?[0-9]{4}-?[0-9]{4}", fullmatch=True),
)
turns = st.lists(
    st.lists(st.one_of(st.sampled_from(("user", "agent", "ai")), anything), min_size=2, max_size=2).map(
        lambda turn: [turn[0] if turn[0] in {"user", "agent", "ai"} else "user", turn[1]]
    ),
    max_size=5,
)
texts = st.one_of(
    anything,
    with_halves,
    st.builds(lambda part, times: part * times, st.text(min_size=1, max_size=12), st.integers(1, 400)),
)

PROPERTIES: Final = (
    Property("forms", st.one_of(raw_bytes, escaped, likely), check_form),
    Property(
        "signatures", st.tuples(urls, pairs, st.one_of(anything, with_halves)).map(list), check_signature
    ),
    Property("urls", st.tuples(st.just("https://owner.example"), raw_bytes, raw_bytes).map(list), check_url),
    Property("phone_numbers", numbers, check_phone_number),
    Property("closures", st.tuples(turns, texts).map(list), check_closure),
    Property(
        "cursors",
        st.tuples(
            st.integers(0, 2**63 - 1),
            st.integers(0, 40),
            st.one_of(st.characters(), st.sampled_from("AZ-_=")),
            st.one_of(anything, with_halves),
        ).map(list),
        check_cursor,
    ),
)


@pytest.mark.parametrize("promise", PROPERTIES, ids=str)
def test_it_holds_for_what_once_broke_it(promise: Property) -> None:
    assert promise.replay() > 0


@pytest.mark.parametrize("promise", PROPERTIES, ids=str)
def test_it_holds_for_anything(promise: Property) -> None:
    promise.try_on(QUICK)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("promise", PROPERTIES, ids=str)
def test_it_holds_for_very_much(promise: Property) -> None:
    promise.try_on(LONG)
