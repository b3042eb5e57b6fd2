"""What a page may send: the schemas of a form and a quiz. Further fields are kept as answers."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from form_api.phone import to_e164

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_INDEXED = re.compile(r"quiz_answers\[(\d{1,4})\]\[(question|answer)\]")


def _e164(phone: str, info: ValidationInfo) -> str:
    number = to_e164(phone, (info.context or {}).get("region", "RU"))
    if number is None:
        raise ValueError("is not a phone number; write it like +7 900 123-45-67")
    return number


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise ValueError("is not an email address")
    return text


def _joined(value: object) -> object:
    """Checkboxes of one name arrive as a list; numbers and yes/no as they are in JSON."""
    if isinstance(value, bool):
        return "да" if value else "нет"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(str(_joined(item)) for item in value)
    return value


def _blank_as_absent(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _unreadable_as_absent(value: object) -> object:
    """A page whose clock failed must not cost us the customer."""
    text = str(value).strip()
    return int(text) if text.isdecimal() and len(text) <= 16 else None


Line = Annotated[str, BeforeValidator(_joined), AfterValidator(lambda text: " ".join(text.split()))]
Paragraph = Annotated[str, BeforeValidator(_joined), AfterValidator(str.strip)]
Optional = BeforeValidator(_blank_as_absent)


class _Form(BaseModel):
    """What every form has. Fields beyond these are the page's own questions."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    phone: Annotated[
        str, BeforeValidator(_joined), Field(min_length=1, max_length=40), AfterValidator(_e164)
    ] = Field(description="as people write it: +7 900 123-45-67")
    name: Annotated[Line, Field(min_length=1, max_length=200)]
    form_id: Annotated[Line, Field(min_length=1, max_length=100)] = Field(description="which form this is")
    message: Annotated[Paragraph, Field(max_length=10_000)] | None = None
    email: Annotated[Annotated[str, Field(max_length=254), AfterValidator(_email)] | None, Optional] = None
    page_url: Annotated[Annotated[Line, Field(max_length=2_000)] | None, Optional] = None
    started_at: Annotated[int | None, BeforeValidator(_unreadable_as_absent)] = Field(
        default=None, description="when the form was shown, Unix ms; robots are faster than people"
    )

    @property
    def answers(self) -> dict[str, Any]:
        """The page's own questions."""
        return self.model_extra or {}


class Submit(_Form):
    """A contact form."""


class QuizAnswer(BaseModel):
    """One question and what was answered."""

    question: Annotated[Line, Field(min_length=1, max_length=500)]
    answer: Annotated[Paragraph, Field(max_length=2_000)]


class Quiz(_Form):
    """A quiz: contacts and one to a hundred answers."""

    quiz_answers: list[QuizAnswer] = Field(min_length=1, max_length=100)


def from_fields(fields: list[tuple[str, str]]) -> dict[str, Any]:
    """The fields of a plain HTML form as one object; a repeated name becomes a list.

    Quiz answers are fields named quiz_answers[0][question] and quiz_answers[0][answer].
    """
    given: dict[str, Any] = {}
    quiz: dict[int, dict[str, Any]] = {}
    for name, value in fields:
        if indexed := _INDEXED.fullmatch(name):
            _add(quiz.setdefault(int(indexed[1]), {}), indexed[2], value)
        else:
            _add(given, name, value)
    if quiz:
        given["quiz_answers"] = [quiz[number] for number in sorted(quiz)]
    return given


def _add(given: dict[str, Any], name: str, value: str) -> None:
    if name not in given:
        given[name] = value
    elif isinstance(given[name], list):
        given[name].append(value)
    else:
        given[name] = [given[name], value]
