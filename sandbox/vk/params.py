"""Parameters of a call: strings of a form or a query, read in VK's encodings (contract §1)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from sandbox.vk.errors import wrong

_NUMBER = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Params:
    """What was passed, by name; an empty value is as good as none."""

    given: Mapping[str, str]

    def text(self, name: str, default: str = "", *, longest: int | None = None) -> str:
        value = self.given.get(name) or default
        if longest is not None and len(value) > longest:
            wrong(f"{name} is too long, {longest} characters at most")
        return value

    def required(self, name: str, *, longest: int | None = None) -> str:
        value = self.text(name, longest=longest)
        if not value:
            wrong(f"{name} is a required parameter")
        return value

    def number(self, name: str, default: int = 0, bounds: tuple[int, int] | None = None) -> int:
        raw = self.given.get(name) or str(default)
        value = _number(name, raw)
        if bounds and not bounds[0] <= value <= bounds[1]:
            wrong(f"{name} should be between {bounds[0]} and {bounds[1]}")
        return value

    def required_number(self, name: str) -> int:
        return _number(name, self.required(name))

    def words(self, name: str) -> list[str]:
        """A comma-separated list."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def numbers(self, name: str, *, most: int) -> list[int]:
        found = [_number(name, part) for part in self.words(name)]
        if len(found) > most:
            wrong(f"{name} has too many elements, {most} at most")
        return found

    def flag(self, name: str, *, default: bool = False) -> bool:
        raw = self.given.get(name) or str(int(default))
        if raw not in {"0", "1"}:
            wrong(f"{name} should be 0 or 1")
        return raw == "1"

    def real(self, name: str, most: float) -> float:
        try:
            value = float(self.required(name))
        except ValueError:
            wrong(f"{name} is not a number")
        if not -most <= value <= most:
            wrong(f"{name} is out of bounds")
        return value

    def parsed(self, name: str) -> Any:
        """The JSON inside a string parameter."""
        given = self.required(name)
        try:
            return parsed(given)
        except ValueError:
            wrong(f"{name} is not valid JSON")


def _number(name: str, raw: str) -> int:
    if not _NUMBER.fullmatch(raw.strip()):
        wrong(f"{name} is not integer")
    return int(raw)


def parsed(text: str) -> Any:
    """Strict JSON, or ValueError: nothing that an answer could not carry."""
    given = from_json(text, allow_inf_nan=False)
    json.dumps(given, allow_nan=False)  # 1e999 parses to infinity
    return given


async def params_of(request: Request) -> Params:
    """Query and form together; a JSON body is not read at all, as VK does not support one."""
    given = dict(request.query_params)
    if request.method == "POST":
        async with request.form() as form:
            given.update({name: value for name, value in form.items() if isinstance(value, str)})
    return Params(given)
