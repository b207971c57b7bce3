"""What came of comparing an account with the provider's own log of messages."""

from pydantic import Field

from owner.models.entity import DTO, Moment


class Reconciliation(DTO):
    """One account, compared from `since` to `until`; what was wrong has been mended, except drift and a problem."""

    owner_id: int
    twilio_account_id: int
    since: Moment
    until: Moment
    listed: int = 0  # messages in the provider's log
    brought_in: int = 0  # that customers wrote and no webhook told
    corrected: int = 0  # delivery statuses
    elsewhere: int = 0  # written to numbers that were not connected here at the time
    unreadable: int = 0
    drifted: list[str] = Field(default_factory=list)  # whose messages the provider delivers to another URL
    problem: str | None = None  # why it came to no end; the next run begins where this one did

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has to look: the machine mends the rest."""
        return self.problem is not None or bool(self.drifted)
