"""`execute` (contract §3.6), for the one form that SDKs use: `return [API.a.b({...}), ...];`."""

import json
import re
from typing import Any

from sandbox.vk.errors import ApiError, fail
from sandbox.vk.gate import Call, Gate, Method
from sandbox.vk.params import Params, parsed

MOST_CALLS = 25
_CALL = re.compile(r"\s*API\.([A-Za-z]+\.[A-Za-z]+)\(\s*")
_DECODER = json.JSONDecoder()


class Execute:
    """Any other script does not compile (12); more than 25 calls are a runtime error (13)."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def methods(self) -> dict[str, Method]:
        return {"execute": self._execute}

    def _execute(self, call: Call) -> dict[str, Any]:
        """Failed calls yield false and are told beside the response."""
        script = call.params.required("code").strip().removesuffix(";").strip()
        if not re.match(r"return\b", script):
            fail(12, "only `return API.a.b({...})` or an array of such calls is understood here")
        script = script.removeprefix("return").strip()
        many = script.startswith("[") and script.endswith("]")
        calls = _calls_in(script[1:-1] if many else script)
        if len(calls) > MOST_CALLS:
            fail(13, "too many api calls")
        errors: list[dict[str, Any]] = []
        answers = [self._one(name, given, call, errors) for name, given in calls]
        shown: dict[str, Any] = {"response": answers if many else answers[0]}
        return {**shown, "execute_errors": errors} if errors else shown

    def _one(self, name: str, given: dict[str, str], call: Call, errors: list[dict[str, Any]]) -> Any:
        try:
            if name == "execute":
                fail(3)
            return self._gate.dispatch(Call(name, Params(given), call.here))
        except ApiError as error:
            errors.append({"method": name, "error_code": error.code, "error_msg": str(error)})
            return False


def _calls_in(script: str) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    place = 0
    while match := _CALL.match(script, place):
        given, place = _arguments(script, match.end())
        found.append((match.group(1), given))
        comma = re.compile(r"\s*,").match(script, place)
        if comma is None:
            break
        place = comma.end()
    if script[place:].strip() or not found:
        fail(12, f"unexpected text at character {place}")
    return found


def _arguments(script: str, place: int) -> tuple[dict[str, str], int]:
    given: Any = {}
    if not script.startswith(")", place):
        try:
            given, end = _DECODER.raw_decode(script, place)
            given, place = parsed(script[place:end]), end
        except (ValueError, RecursionError):
            fail(12, f"unexpected text at character {place}")
    closing = re.compile(r"\s*\)").match(script, place)
    if closing is None or not isinstance(given, dict):
        fail(12, f"unexpected text at character {place}")
    return {name: _written(value) for name, value in given.items()}, closing.end()


def _written(value: Any) -> str:
    """As the value would stand in a form: booleans as 0 and 1, lists with commas, objects as JSON."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return ",".join(_written(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
