"""Twilio's faults as a person switches them on: in words, and for one phone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from owner.integrations.simulator.faults import Fault, FaultKind
from owner.wording import later as _

OF_THE_CUSTOMER: Final = frozenset({FaultKind.WEBHOOK_LOST, FaultKind.WEBHOOK_DOUBLED})


@dataclass(frozen=True, slots=True)
class Line:
    """Between one customer and one number of the company, each as Twilio writes it."""

    customer: str
    company: str


@dataclass(frozen=True, slots=True)
class Switch:
    says: str
    kind: FaultKind
    error_code: int | None = None
    delay: float | None = None  # seconds

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.error_code}" if self.error_code else str(self.kind)

    def fault(self, line: Line, *, count: int | None) -> Fault:
        return Fault(
            kind=self.kind, count=count, to=self._to(line), delay=self.delay, error_code=self.error_code
        )

    def armed(self, faults: Iterable[Fault], line: Line) -> list[Fault]:
        """Those of the faults that this switch has put there."""
        mine = (self.kind, self.error_code, self._to(line))
        return [fault for fault in faults if (fault.kind, fault.error_code, fault.to) == mine]

    def _to(self, line: Line) -> str:
        return line.company if self.kind in OF_THE_CUSTOMER else line.customer


SWITCHES: Final[Mapping[str, tuple[Switch, ...]]] = {
    _("What the company sends is refused"): (
        Switch(_("Too many requests (429)"), FaultKind.HTTP_429),
        Switch(_("Server error (500)"), FaultKind.HTTP_500),
        Switch(_("Unavailable (503)"), FaultKind.HTTP_503),
    ),
    _("Twilio's answer is missing"): (
        Switch(_("Silence, and nothing is sent"), FaultKind.TIMEOUT_BEFORE),
        Switch(_("Silence, though it is sent"), FaultKind.TIMEOUT_AFTER),
        Switch(_("Cut off, and nothing is sent"), FaultKind.RESET_BEFORE),
        Switch(_("Cut off, though it is sent"), FaultKind.RESET_AFTER),
        Switch(_("500, though it is sent"), FaultKind.HTTP_500_AFTER),
        Switch(_("Slow: three seconds"), FaultKind.LATENCY, delay=3),
    ),
    _("It does not arrive"): (
        Switch(_("The phone is off (30003)"), FaultKind.ERROR, 30003),
        Switch(_("Taken for spam (30007)"), FaultKind.ERROR, 30007),
        Switch(_("The reply window is closed (63016)"), FaultKind.ERROR, 63016),
    ),
    _("The ticks come"): (
        Switch(_("Late: five seconds"), FaultKind.CALLBACKS_LATE, delay=5),
        Switch(_("Twice"), FaultKind.CALLBACKS_DOUBLED),
        Switch(_("In the wrong order"), FaultKind.CALLBACKS_REVERSED),
        Switch(_("Before the answer"), FaultKind.CALLBACKS_FIRST),
        Switch(_("Never"), FaultKind.CALLBACKS_LOST),
    ),
    _("What this phone writes"): (
        Switch(_("Reaches the company twice"), FaultKind.WEBHOOK_DOUBLED),
        Switch(_("Gets lost"), FaultKind.WEBHOOK_LOST),
    ),
}
BY_NAME: Final = {switch.name: switch for switches in SWITCHES.values() for switch in switches}
BY_ERROR: Final = {switch.error_code: switch.says for switch in BY_NAME.values() if switch.error_code}
"""What an error of Twilio's is in plain words, where a switch is there for it."""
