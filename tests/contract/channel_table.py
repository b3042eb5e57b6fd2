"""docs/channels.md, written from the manifests and parts of the channels themselves."""

from collections.abc import Callable

from core import channel as contract
from core.capabilities import Capabilities, MediaKind
from core.channel import Channel
from core.registry import CHANNELS
from tests.contract.vendor_side import SIDES

_HEAD = """# What each messenger can do

Written from the channels' manifests (`GET /info` shows the same); `UPDATE_SNAPSHOTS=1 make test` renews it.
Tools, REST routes and OpenAPI have exactly these abilities: what a messenger cannot do is absent.
"""
_UNITS = {"characters": "characters", "utf16": "UTF-16 units", "bytes": "bytes (UTF-8)"}
_AUTHENTICITY = {
    "path_secret": "secret in the address",
    "secret_header": "secret header",
    "secret_in_body": "secret in the body",
    "hmac": "HMAC-SHA256 of the body",
}
_PARTS: dict[str, type[object]] = {
    "lists chats itself": contract.ListsChats,
    "history": contract.KeepsHistory,
    "quoting a message": contract.SendsReplies,
    "editing": contract.EditsMessages,
    "deleting": contract.DeletesMessages,
    "read marks": contract.MarksRead,
    "typing": contract.ShowsTyping,
    "reactions": contract.Reacts,
    "profiles": contract.KnowsProfiles,
    "lost messages found in the history": contract.Sweeps,
}

Row = tuple[str, Callable[[Channel], str]]


def page() -> str:
    """The whole document."""
    shown = [(one.title, SIDES[one.channel]().channel) for one in CHANNELS]
    head = ["", *(title for title, _ in shown)]
    rows = [[name, *(tell(channel) for _, channel in shown)] for name, tell in _rows()]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{_HEAD}\n{table}\n\n## Rates\n\n{_rates(shown)}"


def _rows() -> list[Row]:
    limits: list[tuple[str, Callable[[Capabilities], str]]] = [
        ("longest text of one message", lambda one: f"{one.text_limit:,} {_UNITS[one.text_unit]}"),
        ("picture", lambda one: _media(one, "image")),
        ("voice note", lambda one: _media(one, "voice")),
        ("video", lambda one: _media(one, "video")),
        ("document", lambda one: _media(one, "document")),
        ("buttons", _buttons),
        ("answering", lambda one: _window(one.reply_window_seconds, "at any time")),
        ("business writes first", lambda one: "yes" if one.starts_chats else "no"),
    ]
    parts: list[Row] = [(name, _has(part)) for name, part in _PARTS.items()]
    rest: list[tuple[str, Callable[[Capabilities], str]]] = [
        ("a delivery is proven by", lambda one: _AUTHENTICITY[one.webhook_authenticity]),
        ("order of a chat's events", lambda one: "kept" if one.ordered else "not promised"),
        ("a repeated send is recognised", lambda one: "yes" if one.repeat_window_seconds else "no"),
    ]
    return [*map(_of_manifest, limits), *parts, *map(_of_manifest, rest)]


def _of_manifest(row: tuple[str, Callable[[Capabilities], str]]) -> Row:
    name, tell = row
    return name, lambda channel: tell(channel.capabilities)


def _has(part: type[object]) -> Callable[[Channel], str]:
    def tell(channel: Channel) -> str:
        if not isinstance(channel, part):
            return "no"
        limits = channel.capabilities
        if part is contract.EditsMessages:
            return _window(limits.edit_window_seconds, "yes")
        return _window(limits.delete_window_seconds, "yes") if part is contract.DeletesMessages else "yes"

    return tell


def _media(limits: Capabilities, kind: MediaKind) -> str:
    limit = limits.media.get(kind)
    if limit is None:
        return "no"
    types = ", ".join(one.partition("/")[2] for one in limit.types) or "any type"
    words = f"caption {limit.caption_limit:,}" if limit.caption_limit else "words apart"
    return f"{_bytes(limit.max_bytes)}; {types}; {words}"


def _bytes(size: int) -> str:
    return f"{size / 1024 / 1024:g} MB" if size % (1024 * 1024) == 0 else f"{size / 1_000_000:g} MB"


def _buttons(limits: Capabilities) -> str:
    if not limits.most_buttons:
        return "as numbered text"
    return f"{limits.most_buttons} of {limits.button_limit} characters"


def _window(seconds: int | None, otherwise: str) -> str:
    if seconds is None:
        return otherwise
    return f"within {seconds // 3600} h" if seconds >= 3600 else f"within {seconds // 60} min"


def _rates(shown: list[tuple[str, Channel]]) -> str:
    lines = [
        f"- **{title}**: "
        + "; ".join(f"{rate.calls} in {rate.seconds:g} s ({rate.applies_to})" for rate in told)
        for title, channel in shown
        if (told := channel.capabilities.rates)
    ]
    return "\n".join(lines) + "\n"
