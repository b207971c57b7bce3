"""Owner: a multi-tenant conversation manager on Twilio."""

from importlib.metadata import version

__version__ = version("owner")
