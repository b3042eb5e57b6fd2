"""What the hub tells of clients. Ids are strings; what customers wrote ends in _untrusted."""

from typing import Any

from pydantic import BaseModel, Field

from orchestrator.hub_models import AppealLine


class Handle(BaseModel):
    """An account of the client on a channel, and why it is taken for theirs."""

    channel: str
    account: str
    user_id: str
    evidence: str


class Fact(BaseModel):
    """Something known of the client."""

    kind: str = Field(description="name, phone, email, username, profile_url, avatar_url or language")
    value_untrusted: str
    evidence: str = Field(description="vendor, form, claimed or mentioned: how far it can be trusted")
    channel: str
    last_at: str = Field(description="ISO 8601, UTC")


class ClientLine(BaseModel):
    """A client in a list."""

    client_id: str
    name_untrusted: str = ""
    phone: str = ""
    email_untrusted: str = ""
    channels: list[str] = Field(default_factory=list)
    created_at: str = ""


class ClientPage(BaseModel):
    """One page of clients, the newest first."""

    clients: list[ClientLine]
    next_cursor: str = Field(default="", description="empty on the last page")


class ClientCard(BaseModel):
    """A client with their accounts, what is known of them, and their latest cases."""

    client_id: str
    name_untrusted: str = ""
    phone: str = ""
    email_untrusted: str = ""
    handles: list[Handle] = Field(default_factory=list, description="the first fifty of them")
    handles_count: int = 0
    facts: list[Fact] = Field(default_factory=list, description="the best evidence first")
    appeals: list[AppealLine] = Field(default_factory=list, description="the latest first, ten at most")


class Suggestion(BaseModel):
    """Two clients who may be one person."""

    suggestion_id: str
    client_id: str
    client_name_untrusted: str = ""
    other_id: str
    other_name_untrusted: str = ""
    why: str = Field(description="typed_phone, claimed_phone, same_phone, same_email, same_username, ...")
    detail_untrusted: str = ""
    state: str
    created_at: str
    decided_by: str = ""


class SuggestionPage(BaseModel):
    """One page of suggestions, the newest first."""

    suggestions: list[Suggestion]
    next_cursor: str = Field(default="", description="empty on the last page")


class MergeLine(BaseModel):
    """A merge, in force while undone_at is empty."""

    merge_id: str
    winner_id: str
    loser_id: str
    why_untrusted: str = ""
    merged_by: str = ""
    merged_at: str
    undone_by: str = ""
    undone_at: str = ""


class MergePage(BaseModel):
    """One page of the merges of a client, the latest first."""

    merges: list[MergeLine]
    next_cursor: str = Field(default="", description="empty on the last page")


class ExportedFile(BaseModel):
    """A file of a message, as the content store has it."""

    hash: str = Field(description="sha256 of the bytes, 64 hexadecimal digits")
    kind: str = Field(description="image, voice, video or document")
    name_untrusted: str = ""
    media_type: str
    size: int = Field(description="bytes")
    url: str = Field(description="our link, a path at the hub without PUBLIC_URL; empty: message deleted")


class Exported(BaseModel):
    """All that is kept of a client."""

    client_id: str
    tables: dict[str, list[dict[str, Any]]] = Field(description="whole rows by table")
    queued: list[str] = Field(description="messages that wait in a queue, as they came")
    redis: list[dict[str, str]] = Field(description="what else Redis has: key and what of it")
    files: list[ExportedFile] = Field(description="those in the content store, one for each message with it")


class Erased(BaseModel):
    """What an erasure took."""

    client_id: str
    finished_at: str
    tables: dict[str, int] = Field(description="rows by table")
    redis: dict[str, int] = Field(description="things in Redis by kind")
    files: int = Field(description="files of the content store")
