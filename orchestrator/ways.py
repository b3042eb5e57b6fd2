"""A way to a client whose own channel has none: a form's appeal is answered in a chat of theirs elsewhere.

    the client has no open case there:   the form's case moves there and stays the same case
    the client has an open case there:   the form's case ends as continued in that one, messages and all

So what the customer answers there continues the case, and an agent sees the form's words beside it.
"""

from dataclasses import dataclass
from datetime import datetime

from core.ids import AccountId, ChannelName, ChatId
from core.messages import OutgoingMessage
from orchestrator.appeals import find_open
from orchestrator.clients import chat_key, handle_key, phone_key
from orchestrator.store.errors import WrongClient
from orchestrator.store.pool import Connection
from orchestrator.store.queries import sql

#: Why a handle is the client's: nobody has written from it yet; we wrote to the phone they gave in a form.
WRITTEN_FIRST = "written_first"


@dataclass(frozen=True, slots=True)
class Way:
    """The chat that a message goes to instead of the one it was asked for.

    `phone` is set when we write first: the chat is that of the phone, and its handle becomes the client's.
    """

    channel: str
    account: str
    external_chat_id: str
    phone: str = ""

    @property
    def chat(self) -> tuple[str, str, str]:
        return (self.channel, self.account, self.external_chat_id)

    @property
    def keys(self) -> list[str]:
        """What to lock beside the asked chat."""
        keys = [chat_key(*self.chat)]
        if self.phone:
            keys += [handle_key(self.channel, self.account, self.external_chat_id), phone_key(self.phone)]
        return keys

    def address(self, message: OutgoingMessage) -> OutgoingMessage:
        """The message, addressed to where it really goes; a quote of the asked chat means nothing there."""
        place = {
            "channel": ChannelName(self.channel),
            "account": AccountId(self.account),
            "external_chat_id": ChatId(self.external_chat_id),
        }
        return message.model_copy(update={**place, "reply_to": None})


async def go(
    connection: Connection, way: Way, *, client_id: int, appeal_id: int | None, now: datetime
) -> int | None:
    """Let the client's case go on there; its id from now on. In the caller's transaction, under its locks.

    Raises WrongClient when clients were merged or separated since the way was found.
    """
    if not await connection.fetchval(sql("leads_to_client"), client_id, *way.chat, way.phone or None):
        raise WrongClient(f"The way leads to somebody who is not client {client_id} by now.")
    await connection.fetch(sql("lock_clients"), [client_id])
    if way.phone:
        handle = ([way.channel], [way.account], [way.external_chat_id])
        await connection.execute(sql("add_identities"), [client_id], *handle, [WRITTEN_FIRST], now)
    key = (client_id, way.channel, way.account)
    there = (await find_open(connection, [key])).get(key)
    place = (way.channel, way.account, way.external_chat_id)
    if appeal_id is None or there == appeal_id:
        return there
    if there is None:
        await connection.execute(sql("move_appeal"), appeal_id, *place, now)
        return appeal_id
    merged = await connection.fetchval(sql("merge_appeal"), appeal_id, there, f"continued in {there}", now)
    return there if merged else appeal_id
