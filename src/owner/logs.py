"""Structured logs: an event and keys, coloured on a terminal, JSON elsewhere."""

import json
import logging
import sys
from time import monotonic
from typing import Any

import structlog
from pydantic_core import to_json
from structlog.typing import FilteringBoundLogger

_FORBIDDEN = frozenset({"content", "body", "text", "address", "phone", "token", "auth_token", "password"})
"""Keys that would leak a message, a number or a secret: they never reach a log line."""


def configure_logging(*, level: str = "INFO", log_format: str = "auto") -> None:
    """Send our own and the libraries' logs to standard error in one format."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_as_json)
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _drop_secrets,
    ]
    tracebacks: list[structlog.typing.Processor] = [structlog.processors.format_exc_info] if as_json else []
    structlog.configure(
        processors=[*shared, *tracebacks, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *tracebacks,
                renderer,
            ],
        )
    )
    logging.basicConfig(
        handlers=[handler], level=max(logging.getLevelNamesMapping()[level], logging.WARNING), force=True
    )


def get_logger(name: str) -> FilteringBoundLogger:
    logger: FilteringBoundLogger = structlog.get_logger(source=name)
    return logger


class Seldom:
    """For what happens thousands of times in an outage, and is worth a line now and then."""

    def __init__(self, *, every: float) -> None:
        """`every` is in seconds."""
        self._every = every
        self._last_at: dict[str, float] = {}
        self._times: dict[str, int] = {}

    def times(self, what: str) -> int:
        """How often it has happened since its last line, if it is time for one; else 0."""
        self._times[what] = self._times.get(what, 0) + 1
        if monotonic() - self._last_at.get(what, -self._every) < self._every:
            return 0
        self._last_at[what] = monotonic()
        return self._times.pop(what)


def _as_json(event: dict[str, Any], **options: Any) -> str:
    """A fifth of the standard library's time, which takes the rest: text that is no UTF-8."""
    try:
        return to_json(event, fallback=options["default"]).decode()
    except ValueError:
        return json.dumps(event, **options)


def _drop_secrets(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    for key in _FORBIDDEN & event.keys():
        event[key] = "…"
    return event
