"""What the API refuses, as exceptions."""

from typing import Any


class ApiError(Exception):
    """A problem that the API answered; decide by `code`, which is stable."""

    def __init__(self, problem: dict[str, Any], *, status: int, retry_after: float | None = None) -> None:
        """`retry_after` is in seconds."""
        self.status = status
        self.code: str = problem.get("code", "unknown")
        self.detail: str = problem.get("detail", "")
        self.field: str | None = problem.get("field")
        self.request_id: str | None = problem.get("request_id")
        self.facts = problem
        self.retry_after = retry_after
        super().__init__(f"{status} {self.code}: {self.detail}")


class Unreachable(Exception):
    """No answer came, after all tries."""
