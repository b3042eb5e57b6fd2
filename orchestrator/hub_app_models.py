"""What the inbox shows to a person, and to a model beside it."""

from typing import Literal

from pydantic import BaseModel, Field

from orchestrator.hub_models import HistoryLine, NoteLine

Sender = Literal["", "customer", "agent", "operator", "system"]


class InboxLine(BaseModel):
    """A conversation."""

    appeal_id: str
    client_id: str
    client_name_untrusted: str = ""
    channel: str
    account: str
    chat_id: str
    status: str
    priority: str = "normal"
    ad_title_untrusted: str = ""
    waiting_since: str = Field(default="", description="empty: nobody waits for an answer")
    turn_id: str = Field(default="", description="the turn to answer")
    taken_by: str = Field(default="", description="the agent that works on it now")
    paused: bool = Field(default=False, description="a person has it: the AI is silent there")
    pause_cause: str = Field(
        default="", description="hand_off: an agent gave it to a person; else a person took it"
    )
    paused_by: str = ""
    pause_reason_untrusted: str = ""
    paused_until: str = Field(default="", description="empty: until somebody resumes")
    last_sender: Sender = ""
    last_text_untrusted: str = ""
    last_at: str = ""


class ShownMessage(HistoryLine):
    """A message; of ours also what became of it."""

    delivery_state: str = ""
    delivery_id: str = ""


class You(BaseModel):
    """Whose key it is, and what it may do here."""

    name: str
    speaks_as: Literal["agent", "operator"]
    may: list[str] = Field(description="tools")


class ShownInbox(BaseModel):
    """Open cases, those who wait first; or the one asked for, with its messages, oldest first."""

    conversations: list[InboxLine]
    more: bool = Field(default=False, description="there are more than are shown: see list_appeals")
    messages: list[ShownMessage] = Field(default_factory=list)
    notes: list[NoteLine] = Field(default_factory=list)
    you: You
    pause_minutes: int = Field(description="the AI is silent so long after an operator's words")
    next_step: str = ""
