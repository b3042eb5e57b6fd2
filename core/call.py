"""One call of an operation: by whom, of what, with which checked arguments."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.auth import Caller
from core.jsontext import write_json
from core.operations import Operation

#: Arguments of so many characters and more (a file in base64) are not read through in the event loop.
_LARGE = 64 * 1024
#: So many are copied at once: the interpreter's lock is let go in between.
_SLICE = 1024 * 1024


@dataclass(slots=True)
class Call:
    """`given`: the operation's own arguments, without confirm_token and dry_run."""

    caller: Caller
    operation: Operation
    given: Mapping[str, Any]
    _digest: bytes = field(default=b"", init=False, repr=False)

    async def digest(self) -> bytes:
        """Stands for the arguments, however they were written down; made once."""
        if not self._digest:
            large = _length(list(self.given.values())) >= _LARGE
            self._digest = await asyncio.to_thread(digest, self.given) if large else digest(self.given)
        return self._digest


def digest(given: Mapping[str, Any]) -> bytes:
    """The same for the same arguments in any order, and for no others."""
    hashed = hashlib.sha256()  # works on a long text without the interpreter's lock
    for part in _parts([(name, given[name]) for name in sorted(given)]):
        hashed.update(part)
    return hashed.digest()


def _parts(value: Any) -> Iterator[bytes]:
    """Everything with its length and kind before it."""
    if isinstance(value, list | tuple):
        yield b"%d]" % len(value)
        for one in value:
            yield from _parts(one)
        return
    text = value if isinstance(value, str) else write_json(value)
    yield b"%d%b" % (len(text), b'"' if isinstance(value, str) else b":")
    for start in range(0, len(text), _SLICE):
        yield text[start : start + _SLICE].encode("utf-8", "surrogatepass")


def _length(value: Any) -> int:
    if isinstance(value, list | tuple):
        return sum(map(_length, value))
    return len(value) if isinstance(value, str) else 1
