"""`eldoleado talk …` and `eldoleado appeal …`: who has a conversation, and what becomes of its case."""

from launcher.command import PAGE, Command, option, word
from launcher.shown import rows

_WHERE = (
    word("channel", "such as avito"),
    word("chat_id", "the chat at the messenger"),
    option("--account", "which account of the channel"),
    option("--reason", "why, for colleagues"),
)
_TALKS = ("state", "channel", "account", "chat_id", "cause", "paused_by", "until", "reason_untrusted")
_APPEALS = (
    "appeal_id",
    "status",
    "priority",
    "channel",
    "account",
    "chat_id",
    "updated_at",
    "tags_untrusted",
)
_JOURNAL = ("at", "by", "event", "from_status", "to_status", "reason_untrusted")
_ID = word("appeal_id", "from `eldoleado appeal list`")

COMMANDS = (
    Command(
        "talk list",
        "conversations that a person has",
        "GET",
        "/api/conversations/paused",
        PAGE,
        rows("conversations", *_TALKS, empty="The AI answers everywhere."),
    ),
    Command(
        "talk pause",
        "take a conversation over: the AI is silent there",
        "POST",
        "/api/conversations/pause",
        (*_WHERE, option("--minutes", "for how long", type=int)),
    ),
    Command(
        "talk resume",
        "give a conversation back to the AI",
        "POST",
        "/api/conversations/resume",
        _WHERE,
    ),
    Command(
        "appeal list",
        "support cases, the latest change first",
        "GET",
        "/api/appeals",
        (
            option("--status", "open, waiting_client, snoozed, handed_off, resolved or all"),
            option("--channel", "only of this channel"),
            *PAGE,
        ),
        rows("appeals", *_APPEALS, empty="No such appeals; --status all lists every one."),
    ),
    Command(
        "appeal set",
        "change the status, the priority or a snooze",
        "POST",
        "/api/appeals/{appeal_id}/update",
        (
            _ID,
            option("--status", "open, waiting_client, snoozed or resolved"),
            option("--snooze-until", "with snoozed: ISO 8601"),
            option("--priority", "low, normal, high or urgent"),
            option("--add-tags", "short words", nargs="+"),
            option("--remove-tags", "short words", nargs="+"),
            option("--reason", "why the status changes"),
        ),
    ),
    Command(
        "appeal note",
        "note something for colleagues; it is never sent",
        "POST",
        "/api/appeals/{appeal_id}/notes",
        (_ID, word("text", "what to note")),
    ),
    Command(
        "appeal journal",
        "who changed its status, when and why",
        "GET",
        "/api/appeals/{appeal_id}/journal",
        (_ID, *PAGE),
        rows("entries", *_JOURNAL, empty="Nothing has changed."),
    ),
)
