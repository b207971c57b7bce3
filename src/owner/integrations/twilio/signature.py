"""Is a request really Twilio's? Signed over the public URL and every field that was posted."""

import base64
import hmac
from collections.abc import Iterable, Sequence
from typing import Final

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator, get_signature_algorithm

Pairs = Sequence[tuple[str, str]]

_BODY_HASH: Final = "bodySHA256"
_DIGESTS: Final = {HMAC_SHA1: "sha1", HMAC_SHA256: "sha256"}


def verify(
    url: str,
    pairs: Pairs,
    signature: str | None,
    tokens: Iterable[str],
    raw_body: bytes | None = None,
    *,
    settings: str | None = None,
) -> bool:
    """Whether one of the tokens (the current, the one before) made the signature.

    A form is signed with its fields. Of a JSON request only the URL is signed, with the hash of
    `raw_body` in it as `bodySHA256`; a form's own body may be given too and changes nothing.
    `settings` is the header `X-Twilio-Webhooks-Signature-Settings` of SharedKey webhooks.
    """
    secrets = [token for token in tokens if token]  # an empty secret would let anybody sign
    algorithm = get_signature_algorithm(settings).upper()
    if not signature or not secrets or algorithm not in _DIGESTS:
        return False
    try:
        # Fields stand for the body, so without any there must be no body either.
        is_form = bool(pairs) or not raw_body
        if is_form and _is_signed(url, pairs, signature, secrets, _DIGESTS[algorithm]):
            return True
        if is_form and _is_valid(url, _Form(pairs), signature, secrets, algorithm):
            return True
        return (
            raw_body is not None
            and _BODY_HASH in url
            and _is_valid(url, raw_body.decode(), signature, secrets, algorithm)
        )
    except (TypeError, IndexError, ValueError):  # what the library raises on odd URLs and bodies
        return False


def public_url(base: str, path: str | bytes, query: str | bytes = "") -> str:
    """The URL that Twilio signed: the configured one with the path and query exactly as they came."""
    path, query = _text(path), _text(query)
    return f"{base.rstrip('/')}{path}?{query}" if query else f"{base.rstrip('/')}{path}"


def _is_signed(url: str, pairs: Pairs, signature: str, secrets: list[str], digest: str) -> bool:
    """Whether exactly this URL was signed, the usual case: a fifth of the library's time.

    The library also tries the URL with and without its port, so a False here is not the last word.
    """
    signed = (url + "".join([name + value for name, value in sorted(set(pairs))])).encode()
    given = signature.encode()
    return any(
        hmac.compare_digest(base64.b64encode(hmac.digest(secret.encode(), signed, digest)), given)
        for secret in secrets
    )


def _is_valid(url: str, content: "_Form | str", signature: str, secrets: list[str], algorithm: str) -> bool:
    return any(
        bool(RequestValidator(secret).validate(url, content, signature, algorithm)) for secret in secrets
    )


class _Form(dict[str, list[str]]):
    """Fields that may repeat, as the library reads them."""

    def __init__(self, pairs: Pairs) -> None:
        super().__init__()
        for name, value in pairs:
            self.setdefault(name, []).append(value)

    def getall(self, name: str) -> list[str]:
        return self[name]


def _text(raw: str | bytes) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
