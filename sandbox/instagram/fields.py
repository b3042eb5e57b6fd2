"""`fields=id,messages.limit(5){id,from}` and pages with cursors (contract §8). Pure."""

import base64
import re
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from sandbox.instagram.errors import invalid
from sandbox.instagram.shop import Json

T = TypeVar("T")
_WORD = re.compile(r"\s*([a-z_]+)((?:\.[a-z_]+\([^)]*\))*)\s*")


@dataclass(frozen=True, slots=True)
class Field:
    """A field, with what is wanted of it."""

    inner: "dict[str, Field]"
    limit: int | None = None


def fields_of(text: str | None, known: set[str], default: str) -> dict[str, Field]:
    """The wanted fields; an unknown one is 100, as every Graph node says it (from memory)."""
    wanted, rest = _parse(text or default)
    if rest:
        invalid("Syntax error in param fields")
    check_known(wanted, known)
    return wanted


def check_known(wanted: dict[str, Field], known: set[str]) -> None:
    for name in wanted:
        if name not in known:
            invalid(f"Tried accessing nonexisting field ({name})")


def _parse(text: str) -> tuple[dict[str, Field], str]:
    found: dict[str, Field] = {}
    while match := _WORD.match(text):
        limit = re.search(r"\.limit\((\d{1,4})\)", match[2])
        text = text[match.end() :]
        inner: dict[str, Field] = {}
        if text.startswith("{"):
            inner, text = _parse(text[1:])
            if not text.startswith("}"):
                invalid("Syntax error in param fields")
            text = text[1:].lstrip()
        found[match[1]] = Field(inner, int(limit[1]) if limit else None)
        if not text.startswith(","):
            break
        text = text[1:]
    return found, text.strip()


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked of a list."""

    size: int
    after: str | None = None
    before: str | None = None


def page_of(params: Json, *, size: int, largest: int) -> Page:
    """`limit` beyond the largest page is cut to it (not told)."""
    raw = str(params.get("limit", size))
    if not raw.isdecimal() or not int(raw[:9]) >= 1:
        invalid("Param limit must be a positive integer")
    return Page(min(int(raw[:9]), largest), params.get("after"), params.get("before"))


def paged(items: list[tuple[str, T]], page: Page, address: str, params: Json) -> tuple[list[T], Json]:
    """The page and its `paging`; items are named by id, `next` and `previous` exist while there is more."""
    names = [name for name, _ in items]
    start = names.index(_read(page.after, names)) + 1 if page.after else 0
    stop = min(start + page.size, len(items))
    if page.before:
        stop = names.index(_read(page.before, names))
        start = max(stop - page.size, 0)
    shown = items[start:stop]
    if not shown:
        return [], {}
    paging: Json = {"cursors": {"before": _cursor(shown[0][0]), "after": _cursor(shown[-1][0])}}
    kept = {k: v for k, v in params.items() if k not in {"after", "before"}}
    if stop < len(items):
        paging["next"] = f"{address}?{urlencode({**kept, 'after': paging['cursors']['after']})}"
    if start > 0:
        paging["previous"] = f"{address}?{urlencode({**kept, 'before': paging['cursors']['before']})}"
    return [item for _, item in shown], {"paging": paging}


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _read(cursor: str, names: list[str]) -> str:
    try:
        name = base64.urlsafe_b64decode(str(cursor)).decode()
    except ValueError:
        name = ""
    if name not in names:
        invalid("Invalid cursors values provided for after/before cursors")
    return name
