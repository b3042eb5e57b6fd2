"""What can go wrong when we ask a messenger for something.

ChannelError
├── AuthFailed           the vendor refuses our credentials, also after a fresh token
├── PlanRequired         the account's plan lacks the API; final until the owner pays
├── SessionLost          the account is logged out at the vendor; final until the owner logs in
├── Forbidden            the credentials are right, the right is missing
│   ├── NotPermitted     the caller's key does not allow it: nothing was done
│   ├── ConfirmationRequired  a guarded caller must ask first: nothing was done
│   └── Declined         a person was asked, and said no: nothing was done
├── NotFound             no such chat, message or account
├── PeerUnreachable      the customer blocked us, never wrote, or has no such messenger
├── WindowClosed         the vendor lets us answer for some time only, and it is over
├── Rejected             the vendor refuses the content (too long, bad image)
│   └── BadCursor        no place in this list is called so
├── ContractBroken       the vendor does not understand our request: our bug
├── RateLimited          too many requests; `retry_after` says when to come back
├── VendorDown           the vendor failed or cannot be reached; nothing was done
├── OutcomeUnknown       the request may have reached the vendor: look before you repeat it
├── OutcomeUntraceable   the same, and the vendor shows nothing in which to look: nobody will ever tell
├── ConversationPaused   a person has the conversation: the AI may not write there now
├── StateConflict        what was asked for does not follow from how things stand
├── SendInProgress       another attempt with the same idempotency key is under way
├── IdempotencyConflict  the key was used for another message
├── StorageDown          our own Redis or database is away; nothing was done
├── IssuerAway           who a token belongs to cannot be told: its authorization server is away
└── ResponseTooLarge     the answer is longer than a model should be shown

`code` names a class on every surface, `retryable` says whether the same call may be repeated as it is,
`status` is its HTTP status, `what_to_do` the next step for a person or a model, and `reaction` what a program
does about it: repeat later, look before repeating, stop the account, stop writing to the chat, change the
content, leave it to a person, or report a bug.

What our own doors refuse before anybody asks a messenger has a row of the same kind. ERRORS is all of them
by code; docs/errors.md is made of it.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from core.error_kinds import REFUSALS, ErrorKind
from core.untrusted import one_line

LONGEST_DETAIL = 1_000
Reaction = Literal["repeat", "look_first", "stop_account", "stop_chat", "change_content", "leave", "report"]


class ChannelError(Exception):
    """A messenger (or our way to it) could not do what was asked."""

    code: ClassVar[str] = "channel_error"
    status: ClassVar[int] = 502
    retryable: ClassVar[bool] = False
    reaction: ClassVar[Reaction] = "report"
    what_to_do: ClassVar[str] = "Look at the service's log."
    #: Further members of the error, for programs.
    beside: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, detail: str = "", *, channel: str = "", retry_after: float | None = None) -> None:
        self.detail = one_line(detail or self.__doc__ or "", LONGEST_DETAIL)
        super().__init__(self.detail)
        self.channel = channel
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.detail} {self.what_to_do}"

    @classmethod
    def kind(cls) -> ErrorKind:
        """What its row of the table says; a class of one service may have a next step of its own."""
        return ErrorKind(cls.code, cls.status, cls.retryable, cls.what_to_do, (cls.__doc__ or "").strip())


class AuthFailed(ChannelError):
    """The messenger refuses our credentials."""

    code = "auth_failed"
    reaction = "stop_account"
    what_to_do = "Check the account's keys in the settings; repeating does not help."


class PlanRequired(ChannelError):
    """The account's plan lacks the Messenger API."""

    code = "plan_required"
    reaction = "stop_account"
    status = 402
    what_to_do = "The owner must change the plan of the account; repeating does not help."


class SessionLost(ChannelError):
    """The account is logged out at the messenger."""

    code = "session_lost"
    reaction = "stop_account"
    status = 503
    what_to_do = "The owner must log the account in again at the messenger; repeating does not help before."


class Forbidden(ChannelError):
    """The messenger does not allow this to our account."""

    code = "forbidden"
    reaction: ClassVar[Reaction] = "stop_chat"
    status = 403
    what_to_do = "Check which account the chat belongs to and what its keys may do."


class NotPermitted(Forbidden):
    """The caller's key does not allow this."""

    reaction = "leave"
    what_to_do = "Nothing was done. Ask the owner for a key that may do this; repeating does not help."


class ConfirmationRequired(Forbidden):
    """A guarded key does this only after a yes."""

    code = "confirmation_required"
    reaction = "leave"
    #: RFC 6585: a condition of the request is missing, and the answer says how to send it again.
    status = 428
    what_to_do = "Show a person what would be done; after a clear yes call the same again with confirm_token."

    def __init__(self, detail: str = "", *, confirm_token: str = "") -> None:
        super().__init__(f"{detail} confirm_token: {confirm_token}")
        self.beside = {"confirm_token": confirm_token}


class Declined(Forbidden):
    """A person was asked, and said no."""

    code = "declined"
    reaction = "leave"
    what_to_do = "Nothing was done. Do not ask for the same again; find out what they want instead."


class NotFound(ChannelError):
    """There is no such chat, message or account."""

    code = "not_found"
    reaction = "stop_chat"
    status = 404
    what_to_do = "Take ids as they stand in a list or a turn, or check the address."


class PeerUnreachable(ChannelError):
    """The customer cannot be reached here: blocked us, never wrote, or has no such messenger."""

    code = "peer_unreachable"
    reaction = "stop_chat"
    status = 422
    what_to_do = "Reach the customer on another channel; repeating does not help."


class WindowClosed(ChannelError):
    """The time in which the messenger lets us answer is over."""

    code = "window_closed"
    reaction = "stop_chat"
    status = 422
    what_to_do = "Wait until the customer writes again, or let a person answer in the messenger's own app."


class Rejected(ChannelError):
    """The messenger refuses this content."""

    code = "rejected"
    reaction = "change_content"
    status = 422
    what_to_do = "Change the content; repeating it as it is does not help."


class BadCursor(Rejected):
    """No page of this list begins at that cursor."""

    code = "bad_cursor"
    what_to_do = "Take next_cursor of the page before, or call without a cursor for the first page."


class ContractBroken(ChannelError):
    """The messenger does not understand our request: a fault of this program."""

    code = "contract_broken"
    what_to_do = "Report it with the service's log; repeating does not help."


class RateLimited(ChannelError):
    """The messenger asks us to slow down."""

    code = "rate_limited"
    reaction = "repeat"
    status = 429
    retryable = True
    what_to_do = "Wait as long as retry_after says, then repeat with the same idempotency_key."


class VendorDown(ChannelError):
    """The messenger cannot be reached or failed before it did anything."""

    code = "vendor_down"
    reaction = "repeat"
    status = 503
    retryable = True
    what_to_do = "Nothing was done. Repeat later with the same idempotency_key."


class OutcomeUnknown(ChannelError):
    """The request may have reached the messenger; no answer tells whether it was carried out."""

    code = "outcome_unknown"
    reaction = "look_first"
    status = 504
    what_to_do = "Do not send it anew. Repeat with the same idempotency_key: the history is checked first."


class OutcomeUntraceable(ChannelError):
    """The request may have reached the messenger, which shows nothing that could tell."""

    code = "outcome_untraceable"
    reaction = "leave"
    status = 504
    what_to_do = "Do not send it anew: the customer may have it. Let a person settle it (docs/operations.md)."


class ConversationPaused(ChannelError):
    """A person has taken this conversation over; the AI may not write there now."""

    code = "conversation_paused"
    reaction = "leave"
    status = 409
    what_to_do = "Leave it to the person: nothing was sent, and you get it back when they are done."


class StateConflict(ChannelError):
    """This does not follow from how things stand."""

    code = "state_conflict"
    reaction = "change_content"
    status = 409
    what_to_do = "Look at the present state and ask for what follows from it (docs/appeals.md)."


class SendInProgress(ChannelError):
    """Another attempt with this idempotency key is under way."""

    code = "send_in_progress"
    reaction = "repeat"
    status = 409
    retryable = True
    what_to_do = "Repeat in a moment with the same idempotency_key."


class IdempotencyConflict(ChannelError):
    """This idempotency key was used for another message."""

    code = "idempotency_conflict"
    reaction = "change_content"
    status = 409
    what_to_do = "Use a new key for a new message."


class StorageDown(ChannelError):
    """Our own storage cannot be reached."""

    code = "storage_unavailable"
    reaction = "repeat"
    status = 503
    retryable = True
    what_to_do = "Nothing was done. Repeat in a moment with the same idempotency_key."


class IssuerAway(ChannelError):
    """The authorization server that made the token cannot be reached."""

    code = "issuer_unavailable"
    reaction = "repeat"
    status = 503
    retryable = True
    what_to_do = "Nothing was done. Repeat in a moment, or use a key of API_KEYS."


class ResponseTooLarge(ChannelError):
    """The answer is longer than a model should be shown."""

    code = "response_too_large"
    reaction = "change_content"
    status = 413
    what_to_do = "Ask for a smaller limit or a narrower filter."


def error_class(code: str) -> type[ChannelError]:
    """The class that a `code` read from another service names; ChannelError for an unknown one."""
    return _BY_CODE.get(code, ChannelError)


def _with_a_code(cls: type[ChannelError]) -> Iterator[type[ChannelError]]:
    if "code" in vars(cls):
        yield cls
    for narrower in cls.__subclasses__():
        yield from _with_a_code(narrower)


_BY_CODE: dict[str, type[ChannelError]] = {cls.code: cls for cls in _with_a_code(ChannelError)}

#: Every error that a caller of any surface can meet, by code.
ERRORS: Mapping[str, ErrorKind] = {
    kind.code: kind for kind in (*(cls.kind() for cls in _BY_CODE.values()), *REFUSALS)
}
