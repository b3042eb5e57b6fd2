"""What can go wrong when we ask a messenger for something.

ChannelError
├── AuthFailed           the vendor refuses our credentials, also after a fresh token
├── PlanRequired         the account's plan lacks the API; final until the owner pays
├── Forbidden            the credentials are right, the right is missing
├── NotFound             no such chat, message or account
├── Rejected             the vendor refuses the content (too long, bad image, window closed)
├── RateLimited          too many requests; `retry_after` says when to come back
├── VendorDown           the vendor failed or cannot be reached; nothing was done
├── OutcomeUnknown       the request may have reached the vendor: look before you repeat it
├── SendInProgress       another attempt with the same idempotency key is under way
├── IdempotencyConflict  the key was used for another message
└── StorageDown          our own Redis or database is away; nothing was done

Each class is one reaction: `code` names it on every surface, `retryable` says whether the same call may be
repeated as it is, `status` is its HTTP status and `what_to_do` the next step for a person or a model.
"""

from typing import ClassVar


class ChannelError(Exception):
    """A messenger (or our way to it) could not do what was asked."""

    code: ClassVar[str] = "channel_error"
    status: ClassVar[int] = 502
    retryable: ClassVar[bool] = False
    what_to_do: ClassVar[str] = "Look at the service's log."

    def __init__(self, detail: str = "", *, channel: str = "", retry_after: float | None = None) -> None:
        super().__init__(detail or (self.__doc__ or "").strip())
        self.detail = detail or (self.__doc__ or "").strip()
        self.channel = channel
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.detail} {self.what_to_do}"


class AuthFailed(ChannelError):
    """The messenger refuses our credentials."""

    code = "auth_failed"
    what_to_do = "Check the account's keys in the settings; repeating does not help."


class PlanRequired(ChannelError):
    """The account's plan lacks the Messenger API."""

    code = "plan_required"
    status = 402
    what_to_do = "The owner must change the plan of the account; repeating does not help."


class Forbidden(ChannelError):
    """The messenger does not allow this to our account."""

    code = "forbidden"
    status = 403
    what_to_do = "Check which account the chat belongs to and what its keys may do."


class NotFound(ChannelError):
    """There is no such chat, message or account."""

    code = "not_found"
    status = 404
    what_to_do = "Take ids from list_chats or list_messages."


class Rejected(ChannelError):
    """The messenger refuses this content."""

    code = "rejected"
    status = 422
    what_to_do = "Change the content; repeating it as it is does not help."


class RateLimited(ChannelError):
    """The messenger asks us to slow down."""

    code = "rate_limited"
    status = 429
    retryable = True
    what_to_do = "Wait as long as retry_after says, then repeat with the same idempotency_key."


class VendorDown(ChannelError):
    """The messenger cannot be reached or failed before it did anything."""

    code = "vendor_down"
    status = 503
    retryable = True
    what_to_do = "Nothing was done. Repeat later with the same idempotency_key."


class OutcomeUnknown(ChannelError):
    """The request may have reached the messenger; no answer tells whether it was carried out."""

    code = "outcome_unknown"
    status = 504
    what_to_do = "Do not send it anew. Repeat with the same idempotency_key: the history is checked first."


class SendInProgress(ChannelError):
    """Another attempt with this idempotency key is under way."""

    code = "send_in_progress"
    status = 409
    retryable = True
    what_to_do = "Repeat in a moment with the same idempotency_key."


class IdempotencyConflict(ChannelError):
    """This idempotency key was used for another message."""

    code = "idempotency_conflict"
    status = 409
    what_to_do = "Use a new key for a new message."


class StorageDown(ChannelError):
    """Our own storage cannot be reached."""

    code = "storage_unavailable"
    status = 503
    retryable = True
    what_to_do = "Nothing was done. Repeat in a moment with the same idempotency_key."


def error_class(code: str) -> type[ChannelError]:
    """The class that a `code` read from another service names; ChannelError for an unknown one."""
    return _BY_CODE.get(code, ChannelError)


_BY_CODE: dict[str, type[ChannelError]] = {cls.code: cls for cls in ChannelError.__subclasses__()}
