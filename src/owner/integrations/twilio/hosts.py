"""Where each of Twilio's products answers."""

from typing import Final

from yarl import URL

_API: Final = "api."
_TWILIO: Final = ".twilio.com"


def product_url(api_url: str, product: str) -> str:
    """Twilio has a host for each product, also in each region; a stand-in has one for all."""
    host = URL(api_url).host or ""
    if not (host.startswith(_API) and host.endswith(_TWILIO)):
        return api_url.rstrip("/")
    return str(URL(api_url).with_host(host.replace(_API, f"{product}.", 1))).rstrip("/")
