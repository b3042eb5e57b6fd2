"""Reading answers: where each text of one stands, and what is left of one when nobody's own is in it."""

from collections.abc import Iterable
from typing import Any

from core.untrusted import SUFFIX

#: How fields end whose values belong to one customer, chat or moment.
_ONES_OWN = ("id", "ids", "at", "token", "phone", "url", "urls")


def leaves(value: Any, path: str = "") -> Iterable[tuple[str, str]]:
    """Every text of an answer with where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield path, str(key)
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)


def is_marked(path: str) -> bool:
    """Whether a model is told that others' words stand there."""
    return any(name.endswith(SUFFIX) for name in path.split("."))


def shape(value: Any, name: str = "") -> Any:
    """The same without ids, times, tokens and others' words: of those it says only whether they are there."""
    if isinstance(value, dict):
        return {key: shape(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted((shape(inner, name) for inner in value), key=repr)
    return bool(value) if name.endswith(SUFFIX) or name.rpartition("_")[2] in _ONES_OWN else value
