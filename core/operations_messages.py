"""Operations on messages that exist: change one of ours, take it back, react to one."""

from typing import Annotated

from pydantic import Field

from core.accounts import Accounts
from core.arguments import TEXT_MAX, AccountArgument, ChatArgument, MessageArgument
from core.capabilities import Unit
from core.channel import Channel, DeletesMessages, EditsMessages, Reacts
from core.errors import Rejected
from core.ids import ChatId, MessageId
from core.operations import Operation
from core.operations_chats import Done
from core.rehearsal import Rehearsal, takes
from core.textsplit import text_width

#: A customer sees these at once, and they pass by core/sending.py.
SEEN_AT_ONCE = frozenset({"edit_message", "delete_message", "react"})
_PATH = "/api/chats/{chat_id}/messages/{message_id}"
_UNITS: dict[Unit, str] = {"characters": "characters", "utf16": "UTF-16 units", "bytes": "bytes"}


class Messages:
    """What can be done to messages of one channel."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def operations(self, some: Channel) -> list[Operation]:
        """Those that a channel with these parts can serve."""
        return [
            *(self._editing() if isinstance(some, EditsMessages) else []),
            *(self._deleting() if isinstance(some, DeletesMessages) else []),
            *(self._reacting() if isinstance(some, Reacts) else []),
        ]

    def _editing(self) -> list[Operation]:
        return [
            Operation(
                "edit_message",
                "Edit our message",
                "POST",
                f"{_PATH}/edit",
                self._edit,
                "change",
                needs="send",
                destructive=True,  # of the words before
            )
        ]

    def _deleting(self) -> list[Operation]:
        path = f"{_PATH}/delete"
        run, dry = self._delete, self._rehearse_delete
        return [Operation("delete_message", "Delete our message", "POST", path, run, "delete", rehearse=dry)]

    def _reacting(self) -> list[Operation]:
        return [
            Operation(
                "react",
                "React to a message",
                "POST",
                f"{_PATH}/react",
                self._react,
                "change",
                needs="send",
                destructive=True,  # of the reaction before
            )
        ]

    async def _edit(
        self,
        chat_id: ChatArgument,
        message_id: MessageArgument,
        text: Annotated[
            str,
            Field(
                min_length=1,
                max_length=TEXT_MAX,
                description="The new words; one message only",
                examples=["Готово в 15:00"],
            ),
        ],
        account: AccountArgument = "default",
    ) -> Done:
        """Replace the words of one of our own messages, to mend a mistake in it."""
        channel = self._accounts.part(account, EditsMessages)
        limits = self._accounts.one(account).channel.capabilities
        if not text.strip():
            raise Rejected("The text is empty.")
        if text_width(text, limits.text_unit) > limits.text_limit:
            most = f"{limits.text_limit} {_UNITS[limits.text_unit]}"
            raise Rejected(f"The text is longer than one message may be: {most}.")
        await channel.edit_message(ChatId(chat_id), MessageId(message_id), text)
        return Done()

    async def _delete(
        self, chat_id: ChatArgument, message_id: MessageArgument, account: AccountArgument = "default"
    ) -> Done:
        """Delete one of our own messages, when it was a mistake and the messenger still allows it."""
        channel = self._accounts.part(account, DeletesMessages)
        await channel.delete_message(ChatId(chat_id), MessageId(message_id))
        return Done()

    async def _rehearse_delete(self, *, chat_id: str, message_id: str, account: str) -> Rehearsal:
        self._accounts.part(account, DeletesMessages)
        return takes(f"delete {message_id} in {chat_id}, if it is ours and young enough", chat_id, messages=1)

    async def _react(
        self,
        chat_id: ChatArgument,
        message_id: MessageArgument,
        emoji: Annotated[
            str, Field(max_length=32, description="One emoji; empty takes ours away", examples=["👍"])
        ],
        account: AccountArgument = "default",
    ) -> Done:
        """React to a message with an emoji, when that says enough and a text would be too much."""
        await self._accounts.part(account, Reacts).react(ChatId(chat_id), MessageId(message_id), emoji)
        return Done()
