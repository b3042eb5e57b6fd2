"""Answers of the hub as lines for people. Pure."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_GAP = "  "


def rows(of: str, *columns: str, empty: str = "Nothing.") -> Callable[[dict[str, Any]], Iterator[str]]:
    """Shows the list in the field `of` as a table of these columns, and how to see the next page."""

    def show(answer: dict[str, Any]) -> Iterator[str]:
        lines = [[_cell(line.get(column, "")) for column in columns] for line in answer.get(of, [])]
        if lines:
            yield from table([[column.removesuffix("_untrusted") for column in columns], *lines])
        elif not answer.get("next_cursor"):
            yield empty
        if answer.get("next_cursor"):
            yield f"More: --cursor {answer['next_cursor']}"

    return show


def table(lines: list[list[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell; the last one ends where it ends."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield _GAP.join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()


def record(answer: dict[str, Any]) -> Iterator[str]:
    """One line for every field that says something; what is nested is indented."""
    names = [name for name, value in answer.items() if value not in ("", None, [], {})]
    width = max(map(len, names), default=0)
    for name in names:
        yield f"{name:<{width}}{_GAP}{_nested(answer[name])}"


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_nested, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_nested(item)}" for name, item in value.items() if item not in ("", None))
    return _cell(value)


def _cell(value: Any) -> str:
    """In one line: a stranger's line breaks and control characters must not draw on the screen."""
    text = "yes" if value is True else "no" if value is False else str(value)
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character


def lines_of(text: str) -> Iterable[str]:
    """Text of several lines, cleaned as a cell is."""
    return (_cell(line) for line in text.splitlines())
