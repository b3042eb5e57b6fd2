"""What a token of one appeal opens: the operations named here, and in them its own things only.

Every argument that names a thing is compared with what the token is for, whichever operation it belongs to.
A refusal says what the token is for and nothing of what was asked for: it does not tell whether that exists.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from core.auth import Bounds
from core.errors import NotPermitted

#: Whether a thing is the token's; Raises a ChannelError when that cannot be told now.
Owns = Callable[[Bounds, Mapping[str, Any]], Awaitable[bool]]
#: Whether a token still opens what it was made for.
Alive = Callable[[Bounds], Awaitable[bool]]


class Fence:
    """`opens`: names of operations. `owns` {argument: whether what it names is the token's}, asked when the
    argument says something; every other argument whose name is in NAMING is a refusal.
    """

    def __init__(self, opens: Collection[str], owns: Mapping[str, Owns], alive: Alive) -> None:
        self._opens = frozenset(opens)
        self._owns = owns
        self._alive = alive

    async def alive(self, bounds: Bounds) -> bool:
        """Whether a token still opens anything. Raises a ChannelError when that cannot be told now."""
        return await self._alive(bounds)

    def opens(self, operation: str) -> bool:
        """Whether a token may use it at all."""
        return operation in self._opens

    async def check(self, bounds: Bounds, operation: str, given: Mapping[str, Any]) -> None:
        """NotPermitted unless it is open to the token and names only what is the token's."""
        if not self.opens(operation) or not await self._alive(bounds):
            raise beyond(bounds)
        await self._check_names(bounds, given)

    async def check_prompt(self, bounds: Bounds, given: Mapping[str, Any]) -> None:
        """The same of a prompt's arguments."""
        if not await self._alive(bounds):
            raise beyond(bounds)
        await self._check_names(bounds, given)

    async def _check_names(self, bounds: Bounds, given: Mapping[str, Any]) -> None:
        for name in sorted(NAMING & {name for name, value in given.items() if value}):
            owns = self._owns.get(name)
            if owns is None or not await owns(bounds, given):
                raise beyond(bounds)


#: Arguments that name a thing of somebody's.
NAMING = frozenset(
    {
        "appeal_id",
        "bulk_id",
        "chat_id",
        "chat_ids",
        "client_id",
        "delivery_id",
        "file_id",
        "letter_id",
        "loser_id",
        "merge_id",
        "message_id",
        "phone",
        "query",
        "reply_to",
        "suggestion_id",
        "token",
        "turn_id",
        "user_id",
        "winner_id",
    }
)


async def _never(_: Bounds) -> bool:
    return False


async def always_alive(_: Bounds) -> bool:
    """Where no tokens are made."""
    return True


#: For services without appeals: a token opens nothing there.
NO_FENCE = Fence((), {}, _never)


def beyond(bounds: Bounds) -> NotPermitted:
    """What is told of everything that is not the token's."""
    return NotPermitted(f"This token is for the appeal {bounds.appeal_id} alone.")


def owned(values: Callable[[Bounds], Collection[str]], name: str) -> Owns:
    """The token's when the argument is one of these."""

    async def owns(bounds: Bounds, given: Mapping[str, Any]) -> bool:
        return given[name] in values(bounds)

    return owns


def completed(bounds: Bounds, uri: str, argument: str, begins: str) -> Sequence[str]:
    """What may stand in the place of a template, or be an argument of a prompt: its own names only."""
    ids = {"appeal_id": bounds.appeal_id, "client_id": bounds.client_id}
    if argument == "id":
        argument = f"{uri.partition(':')[0]}_id"
    places = {"channel": 0, "account": 1, "chat_id": 2}
    if argument in places:
        own = sorted({chat[places[argument]] for chat in bounds.chats})
    else:
        own = [ids[argument]] if argument in ids else []
    return [value for value in own if value.startswith(begins)]
