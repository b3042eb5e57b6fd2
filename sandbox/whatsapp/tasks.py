"""Sent and queued orders of a profile, and how they are shown (contract §3.3, §3.5). Pure."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.whatsapp.drafts import Draft
from sandbox.whatsapp.times import moscow, utc


@dataclass(slots=True)
class Task:
    """One send; `response` is None while it waits."""

    id: str
    profile_id: str
    draft: Draft
    bot_id: str
    created: float
    pauses: tuple[float, float] = (1, 3)
    is_first: bool = False
    response: dict[str, Any] | None = None


@dataclass(slots=True)
class Ledger:
    """The tasks of one profile; `free_at` is when its queue can take the next one."""

    tasks: dict[str, Task] = field(default_factory=dict)
    free_at: float = 0

    @property
    def waiting(self) -> list[Task]:
        return [task for task in self.tasks.values() if task.response is None]


def task_view(task: Task) -> dict[str, Any]:
    content = task.draft.content
    return {
        "task_id": task.id,
        "command_start": utc(task.created, 3),
        "command": task.draft.command,
        "recipient": task.draft.chat_id,
        "uuid": task.profile_id,
        "body": content.body or "",
        "caption": content.key("caption"),
        "is_first": task.is_first,
        "response": task.response,
    }


def waiting_view(task: Task) -> dict[str, Any]:
    low, high = task.pauses
    return {**task_view(task), "timeout_from": low, "timeout_to": high}


def response(task: Task, now: float, *, message_id: str = "", detail: str = "") -> dict[str, Any]:
    """How a finished task looks; a failed one is unknown, so `status` is `error` with a `detail`."""
    return {
        "status": "error" if detail else "done",
        "timestamp": int(now),
        "time": moscow(now),
        "detail": detail,
        "task_id": task.id,
        "command_end": utc(now, 3),
        "uuid": task.profile_id,
        **({"message_id": message_id} if message_id else {}),
    }


def history_row(task: Task) -> dict[str, Any]:
    """A row of `messages/history`: API-sent only."""
    content, ended = task.draft.content, task.response or {}
    return {
        "delivered": "success" if ended.get("status") == "done" else "error",
        "recipient": task.draft.chat_id,
        "message": content.body or "",
        "caption": content.key("caption"),
        "created_at": utc(task.created),
        "task_name": task.draft.command,
        "id": ended.get("message_id", ""),
        "task_id": task.id,
    }
