"""Who may be written to, and when: recipient, restrictions, window, comments (contract §5, §6, §12)."""

from dataclasses import dataclass

from sandbox.faults import Switchboard
from sandbox.instagram.calls import Call
from sandbox.instagram.errors import OUTSIDE, fail, invalid, no_such_object
from sandbox.instagram.faults import REFUSALS, InstagramFaults
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Chat, Comment, Json, Shop

NOT_VALID = 2534025


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a send goes; `comment` makes it a private reply."""

    chat: Chat
    comment: Comment | None = None


class Barriers:
    def __init__(
        self, settings: InstagramSandboxSettings, shop: Shop, switches: Switchboard[InstagramFaults]
    ) -> None:
        self._settings = settings
        self._shop = shop
        self._switches = switches

    def check_sender(self, call: Call) -> None:
        """The subject, its permission, the switches of the account."""
        if not call.account.is_called(call.node, self._settings.flavour):
            no_such_object(call.node)
        if "messages" not in call.account.permissions:
            fail(10, "Application does not have permission for this action")
        if refused := self._switches.now.refused:
            code, subcode, message = REFUSALS[refused]
            fail(code, message, subcode)
        if self._switches.now.standby:
            invalid("The app is not the owner of this thread", 2534037)

    def recipient(self, call: Call, given: object) -> Recipient:
        """A username or public number is not an IGSID: 100/2534014 (§3)."""
        if not isinstance(given, dict) or not (given.get("id") or given.get("comment_id")):
            invalid("Param recipient needs id or comment_id")
        comment = None
        if "comment_id" in given:
            comment = self._comment(call, str(given["comment_id"]))
        chat = comment.chat if comment else self._shop.chats.get(str(given["id"]))
        if chat is None or chat.account is not call.account:
            invalid("The requested user cannot be found.", 2534014)
        if chat.person.blocked:
            code, _, subcode = self._settings.blocked_code.partition("/")
            fail(int(code), "This person isn't available right now.", int(subcode) if subcode else None)
        return Recipient(chat, comment)

    def check_window(self, chat: Chat, *, human: bool = False) -> None:
        """24 h from the customer's last message; `HUMAN_AGENT` widens it only with the feature (§6).

        What Meta answers without the feature is not told: here the tag is then simply without effect.
        """
        faults, now = self._switches.now, self._shop.now()
        feature = self._settings.human_agent if faults.human_agent is None else faults.human_agent
        length = self._settings.human_window if human and feature else self._settings.window
        if chat.opened is None or now - chat.opened >= length or (faults.closed_window and not human):
            self._outside()

    def _outside(self) -> None:
        fail(10, OUTSIDE, self._settings.window_subcode, status=self._settings.window_status)

    def _comment(self, call: Call, number: str) -> Comment:
        comment = self._shop.comments.get(number)
        if comment is None or comment.chat.account is not call.account:
            invalid("This comment is not valid for a private reply", NOT_VALID)
        return comment

    def check_comment(self, comment: Comment, content: Json) -> None:
        """Text only, once, within 7 days, for Live only during the broadcast (§5.1, §6)."""
        late = self._shop.now() - comment.created >= self._settings.private_reply_window
        if late or "text" not in content or (comment.live and self._switches.now.broadcast_over):
            invalid("This comment is not valid for a private reply", NOT_VALID)
        if comment.replied and self._settings.second_private_reply == "window":
            self._outside()
        if comment.replied:
            invalid("This comment has already been replied to", NOT_VALID)
