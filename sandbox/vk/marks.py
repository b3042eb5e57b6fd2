"""What the community does without words: read, answered, typing (contract §3.3)."""

from sandbox.vk.community import Community, Dialog
from sandbox.vk.errors import wrong
from sandbox.vk.gate import Call, Method
from sandbox.vk.targets import check_group, dialog_of, peer_of

ACTIVITIES = ("typing", "audiomessage", "photo", "video", "file")
ACTIVITY_LIVES = 10


class Marks:
    """None of these is announced (§7.4)."""

    def __init__(self, community: Community) -> None:
        self._community = community

    def methods(self) -> dict[str, Method]:
        return {
            "messages.markAsRead": self._read,
            "messages.markAsAnsweredConversation": self._answered,
            "messages.setActivity": self._activity,
        }

    def _read(self, call: Call) -> int:
        """The whole conversation, or up to the named message."""
        params = call.params
        check_group(self._community, params)
        dialog = dialog_of(self._community, peer_of(self._community, params))
        params.flag("mark_conversation_as_read")
        last = len(dialog.messages)
        if params.text("up_to_cmid"):
            last = params.number("up_to_cmid", bounds=(0, last))
        named = params.numbers("message_ids", most=1000) or [params.number("start_message_id")]
        if named != [0]:
            last = max(self._cmid(dialog, number) for number in named)
        dialog.in_read = max(dialog.in_read, last)
        return 1

    def _cmid(self, dialog: Dialog, number: int) -> int:
        message = self._community.by_id(number)
        if message is None or message.peer_id != dialog.peer_id:
            wrong("message_ids is invalid")
        return message.cmid

    def _answered(self, call: Call) -> int:
        params = call.params
        check_group(self._community, params)
        dialog = dialog_of(self._community, params.required_number("peer_id"))
        dialog.answered = params.flag("answered", default=True)
        return 1

    def _activity(self, call: Call) -> int:
        """The mark lives about 5 to 10 s; here 10."""
        params = call.params
        check_group(self._community, params)
        if params.required("type") not in ACTIVITIES:
            wrong(f"type should be one of {', '.join(ACTIVITIES)}")
        dialog = dialog_of(self._community, peer_of(self._community, params))
        dialog.activity = (params.required("type"), self._community.clock() + ACTIVITY_LIVES)
        return 1
