"""What ends the gathering of a chat at once. core/lua/envelope.lua reads the same rule."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Stands for every command.
EVERY = "*"
#: It begins with a Latin or Cyrillic letter; core/lua/envelope.lua has the same in bytes.
COMMAND_NAME = r"[A-Za-z\u0400-\u047f][A-Za-z0-9_\u0080-\U0010ffff]*"
_COMMAND = re.compile(f"/({COMMAND_NAME})")


@dataclass(frozen=True, slots=True)
class Closing:
    """`events` (postback, …) and `commands` ("start", …, EVERY) that close a chat, each with the reason."""

    events: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)

    def why(self, event: str, text: str) -> str:
        """Why a message closes its chat at once, "" when it does not."""
        if event in self.events:
            return self.events[event]
        command = _COMMAND.match(text) if event == "message" else None
        if command is None:
            return ""
        name = command[1].encode().lower().decode()
        return self.commands.get(name) or self.commands.get(EVERY, "")

    def as_rule(self) -> dict[str, Any]:
        """As core/lua/envelope.lua reads it."""
        return {"events": dict(self.events), "commands": dict(self.commands)}
