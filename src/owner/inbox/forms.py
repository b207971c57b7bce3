"""What somebody typed into a form and what is wrong with it, so that it can be shown again as it was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, Final, Self, TypeVar

from fastapi import Depends, Request
from pydantic import ValidationError, model_validator

from owner.api.errors import http_status, note
from owner.inbox.language import Voice
from owner.inbox.refusals import REFUSALS, explain
from owner.inbox.routing import told, visit_of
from owner.models.entity import DTO
from owner.models.errors import Conflict, InvalidInput, OwnerError

DTOType = TypeVar("DTOType", bound=DTO)
LARGEST: Final = 1e15  # of a number; far above what any field takes, far below where arithmetic fails
ON: Final = "on"  # what browsers send for a box that is ticked


class Asked(DTO):
    """What the address bar asks for; a field that a form left empty is not there."""

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty_fields(cls, given: dict[str, Any]) -> dict[str, Any]:
        filled = {
            name: [one for one in value if one] if isinstance(value, list) else value
            for name, value in given.items()
        }
        return {name: value for name, value in filled.items() if value not in ("", [])}


def said(model: type[DTOType], **values: object) -> DTOType:
    """What a form without fields of its own says, as its model; raises `InvalidInput`."""
    try:
        return model.model_validate(values)
    except ValidationError as problem:
        raise InvalidInput(told(problem)) from problem


@dataclass(slots=True)
class Form:
    """The fields of one form by name. What stands under the empty name is wrong with all of it."""

    values: Mapping[str, list[str]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    status: HTTPStatus = HTTPStatus.OK
    voice: Voice | None = None

    @classmethod
    def of(cls, **stored: Any) -> Self:
        """A form as it is shown first: with what is stored."""
        return cls({name: _typed(value) for name, value in stored.items()})

    def text(self, name: str) -> str:
        return (self.values.get(name) or [""])[-1]

    def text_or_none(self, name: str) -> str | None:
        return self.text(name).strip() or None

    def has(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.text(name) == ON

    def chosen(self, name: str) -> list[str]:
        """The boxes of a group that are ticked."""
        return [value for values in self.values.get(name, ()) for value in values.splitlines()]

    def lines(self, name: str) -> list[str]:
        """One item a line; blank lines are none."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]

    def number(self, name: str) -> float | str:
        """A number, or what was typed in its place, for the model to refuse."""
        typed = self.text(name).strip()
        try:
            number = int(typed) if typed.lstrip("-").isdecimal() else float(typed.replace(",", "."))
        except ValueError:
            return typed
        return number if abs(number) < LARGEST else typed  # NaN is not below it either

    def texts(self, *names: str) -> dict[str, str]:
        return {name: self.text(name) for name in names}

    def say(self, message: str) -> str:
        """A sentence in the language of who sent this."""
        assert self.voice is not None, "only what was sent is answered"
        return self.voice.say(message)

    def refusing(self, *, conflict: str | None = None) -> "Refusing":
        """Inside, what is refused is noted for the form to be shown again; everything else goes on its way.

        `conflict` says why it does not go now, where the error itself has no code of its own.
        """
        return Refusing(self, conflict)

    def say_first(self, button: "Form") -> None:
        """Say what was wrong with a button, which has no fields to say it beside."""
        if button.problems:
            self.problems = {"": next(iter(button.problems.values()))}
        self.status = max(self.status, button.status)

    def refuse(self, problem: Exception, *, conflict: str | None = None) -> None:
        assert self.voice is not None, "only what was sent can be refused"
        has_no_code = isinstance(problem, OwnerError) and problem.code == Conflict.code
        for name, words in explain(self.voice, problem):
            told = conflict if conflict and has_no_code else words
            self.problems.setdefault(name if name in self.values else "", told)
        self.status = HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(problem, OwnerError):
            self.status = http_status(problem)
            note(problem, self.status)


@dataclass(frozen=True, slots=True)
class Refusing:
    """A class of its own, because a generator can't tell type checkers that it holds exceptions back."""

    form: Form
    conflict: str | None

    def __enter__(self) -> None:
        """Nothing was refused yet."""

    def __exit__(self, kind: object, problem: BaseException | None, traceback: object) -> bool:
        if not isinstance(problem, REFUSALS):
            return False
        self.form.refuse(problem, conflict=self.conflict)
        return True


async def sent_form(request: Request) -> Form:
    """What this request's form says; a file that stands in a field's place is nothing."""
    sent = await request.form()
    values: dict[str, list[str]] = {}
    for name, value in sent.multi_items():
        if isinstance(value, str):
            # Browsers send every line end as two characters.
            values.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return Form(values, voice=(await visit_of(request)).voice)


Sent = Annotated[Form, Depends(sent_form)]


def _typed(value: Any) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return [ON]
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ["\n".join(map(str, value))]
    return [str(value)]
