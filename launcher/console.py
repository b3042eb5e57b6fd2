"""What the person at the keyboard sees."""

import sys
from collections.abc import Iterable
from typing import TextIO

_COLOURS = (36, 32, 33, 35, 34)  # cyan, green, yellow, magenta, blue
_RED = 31


class Console:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._coloured = out.isatty()
        self._names: dict[str, int] = {}

    def step(self, text: str) -> None:
        self._say(f"==> {text}")

    def line(self, name: str, text: str) -> None:
        """One line of a program's, behind its name in a colour of its own."""
        colour = self._names.setdefault(name, _COLOURS[len(self._names) % len(_COLOURS)])
        self._say(f"{self._paint(f'{name:<12}', colour)} | {text}")

    def warn(self, text: str) -> None:
        self._say(f"{self._paint('!!', _RED)}  {text}")

    def table(self, rows: Iterable[tuple[str, str]]) -> None:
        rows = list(rows)
        width = max((len(left) for left, _ in rows), default=0)
        for left, right in rows:
            self._say(f"  {left:<{width}}  {right}")

    def confirm(self, question: str) -> bool:
        """Whether the person at the keyboard says yes; False when nobody sits there."""
        if not sys.stdin.isatty():
            return False
        self._out.write(f"{question} [y/N] ")
        self._out.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def text(self, text: str) -> None:
        self._say(text)

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text

    def _say(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()
