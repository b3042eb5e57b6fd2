"""What a caller is told of an error by its code, and the errors of our own doors."""

from typing import Any, NamedTuple


class ErrorKind(NamedTuple):
    """What a caller may count on whenever it meets a code. `says`: when it is given."""

    code: str
    status: int
    retryable: bool
    what_to_do: str
    says: str

    def members(self, retry_after: float | None = None) -> dict[str, Any]:
        """The four members by which a program goes on; no retry_after when there is nothing to wait for."""
        waits = {} if retry_after is None else {"retry_after": retry_after}
        return {"code": self.code, "retryable": self.retryable, **waits, "what_to_do": self.what_to_do}

    def text(self, fact: str, retry_after: float | None = None) -> str:
        """The same for a model: `code: fact. next step.` and whether and when to repeat."""
        stop = "" if fact[-1:] in ".!?…" else "."
        wait = f" retry_after: {retry_after:.0f} s." if retry_after else ""
        repeat = "yes" if self.retryable else "no"
        return f"{self.code}: {fact}{stop} {self.what_to_do} retryable: {repeat}.{wait}"


#: What our doors refuse before anybody asks a messenger.
REFUSALS = (
    ErrorKind(
        "unauthorized",
        401,
        False,
        "Send a valid key, as a bearer token or in X-API-Key.",
        "No valid key, or no authentic delivery.",
    ),
    ErrorKind(
        "origin_not_allowed",
        403,
        False,
        "Let the owner of the form allow this site.",
        "A page of another site posts to a form.",
    ),
    ErrorKind(
        "method_not_allowed",
        405,
        False,
        "Use the method that /openapi.json names.",
        "The address is not for this method.",
    ),
    ErrorKind(
        "caller_gone",
        408,
        True,
        "Repeat it and wait for the answer.",
        "The caller hung up before the answer.",
    ),
    ErrorKind(
        "link_expired", 410, False, "Ask for a new link.", "The link was good for some time, and it is over."
    ),
    ErrorKind("too_large", 413, False, "Send less.", "The body is larger than this door takes."),
    ErrorKind(
        "not_json", 415, False, "Send JSON as application/json.", "A webhook's body is of another type."
    ),
    ErrorKind(
        "unknown_content_type",
        415,
        False,
        "Send JSON or a form.",
        "A form's body is of a type that is not read.",
    ),
    ErrorKind("incomplete", 400, True, "Send the whole body again.", "The body ended early."),
    ErrorKind("empty_body", 400, False, "Send a body.", "A webhook's body is empty."),
    ErrorKind("unreadable_json", 400, False, "Send valid JSON.", "The body is not JSON."),
    ErrorKind(
        "unreadable_body", 400, False, "Send what the content type says.", "A form's body cannot be read."
    ),
    ErrorKind("invalid", 422, False, "Correct the named fields.", "A field is wrong, missing or unknown."),
    ErrorKind(
        "file_too_large",
        502,
        False,
        "Open it in the messenger itself.",
        "A messenger's file is larger than we pass on.",
    ),
    ErrorKind(
        "too_many_readers",
        503,
        True,
        "Wait as long as retry_after says, then connect again.",
        "Too many read the events already.",
    ),
    ErrorKind(
        "internal_error",
        500,
        False,
        "Look whether it was done before you repeat it; report it with the service's log.",
        "The service failed: a fault of this program.",
    ),
    ErrorKind("unknown_tool", 404, False, "Take a name from tools/list.", "There is no tool of this name."),
    ErrorKind(
        "not_in_profile",
        404,
        False,
        "Set MCP_PROFILE=all at the service, or use the REST route.",
        "The tool exists, but not in the profile that this server shows.",
    ),
    ErrorKind(
        "invalid_arguments",
        422,
        False,
        "Correct the named arguments and call again.",
        "An argument is wrong, missing or unknown; nothing was done.",
    ),
)
