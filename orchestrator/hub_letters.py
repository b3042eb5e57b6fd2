"""The dead letters at the hub: what nobody could read or send, until somebody deals with it."""

from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, Field

from core.api import BODY_LIMIT
from core.auth import demand_operator
from core.deadletters import DOORS, Found
from core.echoes import storage_errors
from core.errors import Rejected
from core.keys import LetterState
from core.letter_search import Head, Sought
from core.operations import Arguments, Operation, asking
from core.rehearsal import Rehearsal, takes
from orchestrator.hub_arguments import CursorArgument, LimitArgument
from orchestrator.hub_parts import HubParts

_PATH = "/api/dead-letters"

Action = Literal["edit", "replay", "purge"]
ActionArgument = Annotated[Action, Field(description="What to do")]
PayloadArgument = Annotated[
    str,
    Field(max_length=BODY_LIMIT, description="edit: what to replay instead", examples=['{"text": "Да"}']),
]
ConfirmArgument = Annotated[bool, Field(description="purge: false only counts")]
LetterArgument = Annotated[
    str,
    Field(max_length=60, description="From the list of dead letters", examples=["019ac2f4b1e0-7d21"]),
]


class LettersSought(Arguments):
    """Which dead letters."""

    door: Annotated[
        str, Field(max_length=40, description="Where it got stuck; empty: all", examples=["webhook:avito"])
    ] = ""
    reason: Annotated[
        str, Field(max_length=80, description="Only of this reason", examples=["unknown_payload"])
    ] = ""
    channel: Annotated[str, Field(max_length=32, description="Only of this channel", examples=["avito"])] = ""
    older_than_hours: Annotated[
        float, Field(ge=0, le=1e6, description="Only letters older than this", examples=[24])
    ] = 0
    replayed: Annotated[bool, Field(description="Those already replayed, kept until purged")] = False


class LettersPaged(LettersSought):
    """A page of them, or one letter whole."""

    letter_id: Annotated[
        str,
        Field(max_length=60, description="Only this one, with its payload", examples=["019ac2f4b1e0-7d21"]),
    ] = ""
    limit: LimitArgument = 20
    cursor: CursorArgument = ""


class LettersChange(LettersSought):
    """What to do, and with which letters: one, or all that match."""

    action: ActionArgument
    letter_id: Annotated[
        str, Field(max_length=60, description="Only this one", examples=["019ac2f4b1e0-7d21"])
    ] = ""
    payload: PayloadArgument = ""
    limit: Annotated[int, Field(ge=1, le=1000, description="replay: most letters, oldest first")] = 100
    confirm: ConfirmArgument = False


class LetterLine(BaseModel):
    """A dead letter without its payload. `detail_untrusted` may quote what strangers wrote."""

    letter_id: str
    at: str = Field(description="ISO 8601, UTC")
    door: str
    reason: str
    detail_untrusted: str = ""
    channel: str = ""
    account: str = ""
    chat_id: str = ""
    message_id: str = Field(default="", description="the vendor's id, or ours of a delivery")
    bytes: int = 0
    edited_at: str = ""
    edited_by: str = ""
    replayed_at: str = ""
    replayed_by: str = ""


class LetterPage(BaseModel):
    """One page of dead letters, the newest first; a page may be short although more follow."""

    letters: list[LetterLine]
    next_cursor: str = Field(default="", description="empty on the last page")
    payload_untrusted: str = Field(default="", description="of the letter that was asked for")
    original_untrusted: str = Field(default="", description="its payload before it was edited")


class Letter(LetterLine):
    """A dead letter, whole; in base64 what is not UTF-8."""

    payload_untrusted: str = ""
    payload_base64_untrusted: str = ""
    original_untrusted: str = Field(default="", description="the payload before it was edited")
    original_base64_untrusted: str = ""


class LetterRefused(BaseModel):
    """A letter that waits on, and why."""

    letter_id: str
    why_untrusted: str


class LettersChanged(BaseModel):
    """What was done to how many letters; `recognised` had arrived before, or were on their way."""

    edited: int = 0
    replayed: int = 0
    recognised: int = 0
    purged: int = 0
    would_purge: int = 0
    refused: list[LetterRefused] = Field(default_factory=list)
    more: bool = Field(default=False, description="call again for the rest")
    next_step: str = ""


class LetterDesk:
    """Dead letters: everybody may look, operators may change."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._letters = parts.letters

    def operations(self) -> list[Operation]:
        """Looking first."""
        listed, changed = asking(LettersPaged, self._list), asking(LettersChange, self._change)
        one, all_of_them = f"{_PATH}/{{letter_id}}", f"{_PATH}/{{action}}"
        change, dry = f"{one}/{{action}}", self._rehearse
        return [
            Operation("dead_letters", "Look at dead letters", "GET", _PATH, listed, "status"),
            Operation("get_dead_letter", "Get a dead letter", "GET", one, self._get, "status", tool=False),
            Operation(
                "change_dead_letter",
                "Mend a dead letter",
                "POST",
                change,
                self._change_one,
                "delete",
                rehearse=dry,
            ),
            Operation(
                "change_dead_letters",
                "Mend many",
                "POST",
                all_of_them,
                changed,
                "delete",
                tool=False,
                rehearse=dry,
            ),
        ]

    async def _list(self, given: LettersPaged) -> LetterPage:
        """List what could not be read or sent, newest first, or one of them, when a message is missing."""
        with storage_errors():
            if given.letter_id:
                return _page_of(await self._letters.whole(given.letter_id))
            page = await self._letters.page(self._sought(given), limit=given.limit, cursor=given.cursor)
        return LetterPage(letters=[letter_line(head) for head in page.heads], next_cursor=page.next_cursor)

    async def _get(self, letter_id: LetterArgument) -> Letter:
        """Get a dead letter with its whole payload."""
        with storage_errors():
            found = await self._letters.whole(letter_id)
        letter = found.letter
        return Letter(
            **letter_line(Head(letter, found.size)).model_dump(),
            payload_untrusted=letter.payload or "",
            payload_base64_untrusted=letter.payload_base64 or "",
            original_untrusted=letter.original or "",
            original_base64_untrusted=letter.original_base64 or "",
        )

    async def _change_one(
        self,
        letter_id: LetterArgument,
        action: ActionArgument,
        payload: PayloadArgument = "",
        confirm: ConfirmArgument = False,
    ) -> LettersChanged:
        """Edit, replay or purge a dead letter once its cause is mended; for operators."""
        return await self._change(
            LettersChange(letter_id=letter_id, action=action, payload=payload, confirm=confirm)
        )

    async def _change(self, given: LettersChange) -> LettersChanged:
        """Edit, replay or purge dead letters, one or all that match; for operators. A replay repeated makes
        one message; a purge cannot be undone."""
        by = demand_operator()
        if given.letter_id == "" and (given.action == "edit" or not _narrows(given)):
            raise Rejected("Name a letter_id, or a door, reason, channel or age.")
        act = {"edit": self._edit, "replay": self._replay, "purge": self._purge}[given.action]
        with storage_errors():
            changed = await act(given, by)
        structlog.get_logger().info("dead_letters_changed", by=by, **given.model_dump(exclude={"payload"}))
        return changed

    async def _rehearse(self, **asked: Any) -> Rehearsal:
        demand_operator()
        given = LettersChange.model_validate(asked)
        if given.letter_id == "" and (given.action == "edit" or not _narrows(given)):
            raise Rejected("Name a letter_id, or a door, reason, channel or age.")
        with storage_errors():
            if given.letter_id:
                await self._letters.whole(given.letter_id)
            found = 1 if given.letter_id else await self._letters.count(self._sought(given))
        many = min(found, given.limit) if given.action == "replay" else found
        if given.action == "purge" and not given.confirm:
            return Rehearsal(would=f"only count {many} of the dead letters: confirm is not set")
        return takes(f"{given.action} {many} of the dead letters", letters=many)

    async def _edit(self, given: LettersChange, by: str) -> LettersChanged:
        await self._letters.edit(given.letter_id, given.payload, by=by)
        return LettersChanged(edited=1, next_step="Replay it.")

    async def _replay(self, given: LettersChange, by: str) -> LettersChanged:
        if given.letter_id:
            outcome = await self._letters.replay(given.letter_id, by=by)
            return LettersChanged.model_validate({outcome: 1})
        done = await self._letters.replay_all(self._sought(given), limit=given.limit, by=by)
        refused = [LetterRefused(letter_id=one, why_untrusted=why) for one, why in done.refused]
        return LettersChanged(
            replayed=done.replayed, recognised=done.recognised, refused=refused, more=done.more
        )

    async def _purge(self, given: LettersChange, by: str) -> LettersChanged:
        """Without confirm it is only counted: what is purged is gone."""
        if given.confirm:
            purged = self._letters.purge(given.letter_id) if given.letter_id else None
            return LettersChanged(purged=await (purged or self._letters.purge_all(self._sought(given))))
        if given.letter_id:
            await self._letters.whole(given.letter_id)
        would = 1 if given.letter_id else await self._letters.count(self._sought(given))
        return LettersChanged(would_purge=would, next_step="Repeat with confirm to drop them for good.")

    def _sought(self, given: LettersSought) -> Sought:
        if given.door and given.door not in DOORS:
            raise Rejected(f"There is no door {given.door!r}; known: {', '.join(DOORS)}.")
        hours = given.older_than_hours
        before = self._parts.clock.now_ms() - round(hours * 3_600_000) if hours else None
        state: LetterState = "replayed" if given.replayed else "waiting"
        return Sought(given.door, given.reason, given.channel, state, before)


def _page_of(found: Found) -> LetterPage:
    letter = found.letter
    return LetterPage(
        letters=[letter_line(Head(letter, found.size))],
        payload_untrusted=letter.raw.decode(errors="replace"),
        original_untrusted=letter.raw_original.decode(errors="replace") if letter.edited_at else "",
    )


def _narrows(given: LettersSought) -> bool:
    """Whether anything less than all letters is meant."""
    return bool(given.door or given.reason or given.channel or given.older_than_hours)


def letter_line(head: Head) -> LetterLine:
    """A dead letter in a list."""
    letter = head.letter
    return LetterLine(
        letter_id=letter.id,
        at=letter.at,
        door=letter.door,
        reason=letter.reason,
        detail_untrusted=letter.detail,
        channel=letter.channel,
        account=letter.account,
        chat_id=letter.chat,
        message_id=letter.message,
        bytes=head.size,
        edited_at=letter.edited_at,
        edited_by=letter.edited_by,
        replayed_at=letter.replayed_at,
        replayed_by=letter.replayed_by,
    )
