"""Operations over HTTP: what comes in becomes arguments, what goes wrong is a problem and names the field."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.types import Message, Scope

from core.api import BODY_LIMIT, api_routes, openapi_document
from core.errors import IdempotencyConflict, RateLimited
from core.observability import Metrics
from core.operations import Operation, Risk

#: Chat ids are opaque: these are all possible.
ODD_IDS = [
    "a b",
    "a/b",
    "/a",
    "a/",
    "/",
    "a/messages",
    "{a}",
    "a:b@c",
    "чат",
    "100%",
    "%2F",
    "a%2Fb",
    "?x=1#y",
    "a+b",
    "a\\b",
    "\x00",
    "...",
]


class Line(BaseModel):
    """One line."""

    text: str


class Heard(BaseModel):
    """What reached the operation."""

    which: str
    chat_id: str = ""
    message_id: str = ""
    text: str = ""
    limit: int = 0
    idempotency_key: str = ""
    lines: list[Line] = Field(default_factory=list)


Chat = Annotated[str, Field(min_length=1, max_length=64, description="A chat")]


async def list_chats(limit: Annotated[int, Field(ge=1, le=100)] = 20) -> Heard:
    """List chats."""
    return Heard(which="list_chats", limit=limit)


async def get_chat(chat_id: Chat) -> Heard:
    """Get a chat."""
    return Heard(which="get_chat", chat_id=chat_id)


async def list_messages(chat_id: Chat, limit: Annotated[int, Field(ge=1, le=100)] = 20) -> Heard:
    """List messages."""
    return Heard(which="list_messages", chat_id=chat_id, limit=limit, lines=[Line(text="да")])


async def delete(chat_id: Chat, message_id: Chat) -> Heard:
    """Delete a message."""
    return Heard(which="delete", chat_id=chat_id, message_id=message_id)


async def send(
    chat_id: Chat,
    text: Annotated[str, Field(min_length=1)],
    idempotency_key: Annotated[str, Field(max_length=20)] = "",
) -> Heard:
    """Send a text."""
    return Heard(which="send", chat_id=chat_id, text=text, idempotency_key=idempotency_key)


async def limited() -> Heard:
    """Come back later."""
    raise RateLimited("Too fast.", channel="avito", retry_after=2.5)


async def conflict() -> Heard:
    """Another message has this key."""
    raise IdempotencyConflict


async def broken() -> Heard:
    """Break."""
    raise RuntimeError("the password is correct-horse")


async def unfit() -> Heard:
    """Answer with a row of somebody's that is no answer."""
    return Heard.model_validate({"which": 7})


async def half() -> Heard:
    """Half an emoji, as a vendor may give it."""
    return Heard(which="half \ud83d")


OPERATIONS: Sequence[Operation] = (
    Operation("get_chat", "Get a chat", "GET", "/api/chats/{chat_id}", get_chat, "read"),
    Operation("list_messages", "List", "GET", "/api/chats/{chat_id}/messages", list_messages, "read"),
    Operation(
        "delete", "Delete", "POST", "/api/chats/{chat_id}/messages/{message_id}/delete", delete, "delete"
    ),
    Operation("list_chats", "List chats", "GET", "/api/chats", list_chats, "read"),
    Operation("send", "Send", "POST", "/api/messages/send", send, "send"),
    Operation("fixed", "Fixed", "GET", "/api/chats/fixed", list_chats, "read"),
    Operation("limited", "Limited", "GET", "/api/limited", limited, "read"),
    Operation("conflict", "Conflict", "POST", "/api/conflict", conflict, "send"),
    Operation("broken", "Broken", "GET", "/api/broken", broken, "read", tool=False),
    Operation("unfit", "Unfit", "GET", "/api/unfit", unfit, "read"),
    Operation("half", "Half", "GET", "/api/half", half, "read"),
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def http(metrics: Metrics) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=api_routes(OPERATIONS, metrics))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


def fields(answer: httpx.Response) -> set[str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return {error["field"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("chat_id", ODD_IDS)
async def test_any_id_reaches_its_operation_whole(http: httpx.AsyncClient, chat_id: str) -> None:
    """The orchestrator and every careful client quote an id with nothing left over."""
    escaped = quote(chat_id, safe="")

    chat = (await http.get(f"/api/chats/{escaped}")).json()
    messages = (await http.get(f"/api/chats/{escaped}/messages", params={"limit": 3})).json()
    deleted = (await http.post(f"/api/chats/{escaped}/messages/{escaped}/delete")).json()

    assert (chat["which"], chat["chat_id"]) == ("get_chat", chat_id)
    assert (messages["which"], messages["chat_id"], messages["limit"]) == ("list_messages", chat_id, 3)
    assert (deleted["chat_id"], deleted["message_id"]) == (chat_id, chat_id)


async def test_a_plain_slash_ends_an_argument(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/chats/a/messages")).json()["which"] == "list_messages"
    assert (await http.get("/api/chats/a/b")).status_code == 404


async def test_a_fixed_path_stands_before_an_argument(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/chats/fixed")).json()["which"] == "list_chats"


@pytest.mark.parametrize("root", ["", "/shop"])
async def test_a_server_that_tells_no_raw_path_is_served_too(metrics: Metrics, root: str) -> None:
    """ASGI leaves `raw_path` open; and a proxy may mount us below a path."""
    app = Starlette(routes=api_routes(OPERATIONS, metrics))
    sent: list[Message] = []
    path = f"{root}/api/chats/a b/messages"
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": root,
        "query_string": b"",
        "headers": [],
    }

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send_back(message: Message) -> None:
        sent.append(message)

    for raw in (None, quote(path).encode()):
        await app({**scope, "raw_path": raw} if raw else dict(scope), receive, send_back)

    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [200, 200]
    assert all(b'"chat_id":"a b"' in message["body"] for message in sent if "body" in message)


async def test_the_body_and_the_query_make_the_arguments(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/messages/send?chat_id=c1", json={"text": "да\u0000 😀"})

    assert answer.json() | {"lines": []} == {
        "which": "send",
        "chat_id": "c1",
        "message_id": "",
        "text": "да\u0000 😀",
        "limit": 0,
        "idempotency_key": "",
        "lines": [],
    }


async def test_the_path_wins_over_body_and_query(http: httpx.AsyncClient) -> None:
    """Whoever reads an access log must see which chat it was about."""
    body = {"chat_id": "other", "message_id": "other"}

    answer = await http.post("/api/chats/c1/messages/m1/delete?chat_id=other", json=body)

    assert (answer.json()["chat_id"], answer.json()["message_id"]) == ("c1", "m1")


@pytest.mark.parametrize("own", [{}, {"idempotency_key": ""}])
async def test_the_idempotency_key_may_stand_in_a_header(http: httpx.AsyncClient, own: Any) -> None:
    """An empty one in the body is none: many clients write every field."""
    body = {"chat_id": "c", "text": "t", **own}

    answer = await http.post("/api/messages/send", json=body, headers={"Idempotency-Key": "order-7"})

    assert answer.json()["idempotency_key"] == "order-7"


async def test_the_key_of_the_body_is_the_nearer_one(http: httpx.AsyncClient) -> None:
    body = {"chat_id": "c", "text": "t", "idempotency_key": "near"}

    answer = await http.post("/api/messages/send", json=body, headers={"Idempotency-Key": "far"})

    assert answer.json()["idempotency_key"] == "near"


async def test_a_key_that_is_too_long_is_named(http: httpx.AsyncClient) -> None:
    body = {"chat_id": "c", "text": "t"}

    answer = await http.post("/api/messages/send", json=body, headers={"Idempotency-Key": "x" * 21})

    assert answer.status_code == 422
    assert fields(answer) == {"idempotency_key"}


async def test_an_operation_without_keys_does_not_mind_one(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/chats", headers={"Idempotency-Key": "x"})).status_code == 200


@pytest.mark.parametrize(
    ("query", "named"),
    [("limit=0", "limit"), ("limit=ten", "limit"), ("limt=3", "limt"), ("limit=", "limit")],
)
async def test_a_wrong_query_is_422_and_named(http: httpx.AsyncClient, query: str, named: str) -> None:
    answer = await http.get(f"/api/chats?{query}")

    assert answer.status_code == 422
    assert fields(answer) == {named}


async def test_every_wrong_field_of_a_body_is_named_at_once(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/messages/send", json={"chat_id": "", "txt": "?"})

    assert answer.status_code == 422
    assert fields(answer) == {"chat_id", "text", "txt"}


@pytest.mark.parametrize("body", ["{", "nonsense", '{"text": NaN}', b"\xff\xfe", "[" * 100_000])
async def test_a_body_that_is_no_json_is_400(http: httpx.AsyncClient, body: str | bytes) -> None:
    answer = await http.post("/api/messages/send", content=body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "unreadable_json"


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "7"])
async def test_json_that_is_no_object_is_422(http: httpx.AsyncClient, body: str) -> None:
    answer = await http.post("/api/messages/send", content=body)

    assert answer.status_code == 422
    assert "object" in answer.json()["detail"]


async def test_half_an_emoji_in_a_body_is_mended(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/messages/send", content='{"chat_id": "c", "text": "\\ud83d"}')

    assert answer.json()["text"] == "\ufffd"


async def test_half_an_emoji_in_an_answer_is_mended(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/half")

    assert answer.json()["which"] == "half \ufffd"


async def test_a_body_over_the_limit_is_413_before_it_is_read_whole(http: httpx.AsyncClient) -> None:
    pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces
        while True:
            pieces += 1
            yield b" " * (BODY_LIMIT // 4)

    answer = await http.post("/api/messages/send", content=endless())

    assert answer.status_code == 413
    assert pieces <= 6


async def test_a_failure_of_the_messenger_keeps_its_meaning(
    http: httpx.AsyncClient, metrics: Metrics
) -> None:
    answer = await http.get("/api/limited")

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3"
    told = answer.json()
    assert (told["code"], told["retry_after"], told["retryable"]) == ("rate_limited", 2.5, True)
    assert (told["channel"], told["detail"]) == ("avito", "Too fast.")
    assert b'operation="api:limited",outcome="error"} 1.0' in metrics.exposition()[0]


async def test_a_conflict_of_keys_has_its_code(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/conflict")

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")


@pytest.mark.promise("errors")
@pytest.mark.parametrize("path", ["/api/broken", "/api/unfit"])
async def test_a_fault_of_ours_is_500_and_tells_nothing(http: httpx.AsyncClient, path: str) -> None:
    """Also when what we were to answer with does not fit: then no argument of the caller's is wrong."""
    answer = await http.get(path)

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "correct-horse" not in answer.text
    assert "which" not in answer.text


async def test_every_call_is_counted(http: httpx.AsyncClient, metrics: Metrics) -> None:
    await http.get("/api/chats")
    await http.get("/api/chats?limit=0")

    counted = metrics.exposition()[0]
    assert b'operation="api:list_chats",outcome="ok"} 1.0' in counted
    assert b'operation="api:list_chats",outcome="error"} 1.0' in counted


# --- callers who hang up ----------------------------------------------------------------------------------


class Slow:
    """An operation that goes on until it is told to end, and remembers how it ended."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.ended = ""

    async def run(self) -> Heard:
        """Wait."""
        self.begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return Heard(which="slow")


async def hang_up(slow: Slow, risk: Risk) -> None:
    """Call, and go away as soon as the operation has begun."""
    operation = Operation("slow", "Slow", "POST", "/api/slow", slow.run, risk)
    app = Starlette(routes=api_routes([operation], Metrics()))
    body: list[Message] = [{"type": "http.request", "body": b"{}", "more_body": False}]
    if risk == "send":
        slow.may_end.set()

    async def receive() -> Message:
        if body:
            return body.pop()
        await slow.begun.wait()
        return {"type": "http.disconnect"}

    async def send_back(_: Message) -> None:
        """Nobody is there."""

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/slow",
        "raw_path": b"/api/slow",
        "query_string": b"",
        "headers": [],
    }
    async with asyncio.timeout(10):
        await app(scope, receive, send_back)


@pytest.mark.parametrize("risk", ["read", "status", "work", "change"])
async def test_nobody_waits_for_a_caller_who_is_gone(risk: Risk) -> None:
    """An agent that died while it waited for a turn must not be given one."""
    slow = Slow()

    await hang_up(slow, risk)

    assert slow.ended == "cancelled"


async def test_a_send_goes_on_although_the_caller_is_gone() -> None:
    slow = Slow()

    await hang_up(slow, "send")

    assert slow.ended == "done"


async def test_a_server_that_ends_takes_its_operations_along() -> None:
    slow = Slow()
    operation = Operation("slow", "Slow", "GET", "/api/slow", slow.run, "read")
    transport = httpx.ASGITransport(app=Starlette(routes=api_routes([operation], Metrics())))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        call = asyncio.create_task(client.get("/api/slow"))
        await slow.begun.wait()
        call.cancel()
        await asyncio.wait([call])

    assert slow.ended == "cancelled"


# --- the document -----------------------------------------------------------------------------------------

_PARAMETER = {
    "type": "object",
    "required": ["name", "in", "required", "schema"],
    "properties": {"in": {"enum": ["path", "query", "header"]}, "schema": {"type": "object"}},
}
_OPERATION = {
    "type": "object",
    "required": ["operationId", "summary", "responses"],
    "properties": {
        "parameters": {"type": "array", "items": _PARAMETER},
        "requestBody": {"type": "object", "required": ["content"]},
        "responses": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "object", "required": ["description"]},
            "propertyNames": {"pattern": "^([1-5][0-9X]{2}|default)$"},
        },
    },
}
#: The part of OpenAPI 3.1 that we write.
OPENAPI = {
    "type": "object",
    "required": ["openapi", "info", "paths", "components"],
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"type": "object", "required": ["title", "version"]},
        "paths": {
            "type": "object",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "propertyNames": {"enum": ["get", "post"]},
                "additionalProperties": _OPERATION,
            },
        },
    },
}


@pytest.fixture
def document() -> dict[str, Any]:
    return openapi_document("Demo", "1.2.3", OPERATIONS, {"/webhook": {"post": {"responses": {}}}})


def test_the_document_has_the_form_of_openapi(document: dict[str, Any]) -> None:
    del document["paths"]["/webhook"]

    jsonschema.validate(document, OPENAPI)
    for schema in _schemas(document):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_document_lists_every_operation_and_what_else_is_served(document: dict[str, Any]) -> None:
    listed = {
        (item.get("operationId"), method.upper(), path)
        for path, methods in document["paths"].items()
        for method, item in methods.items()
    }

    assert listed == {(one.name, one.method, one.path) for one in OPERATIONS} | {(None, "POST", "/webhook")}


def test_every_placeholder_is_a_parameter_and_no_parameter_stands_in_the_body(
    document: dict[str, Any],
) -> None:
    deleted = document["paths"]["/api/chats/{chat_id}/messages/{message_id}/delete"]["post"]
    sent = document["paths"]["/api/messages/send"]["post"]
    listed = document["paths"]["/api/chats/{chat_id}/messages"]["get"]

    assert [(one["name"], one["in"], one["required"]) for one in deleted["parameters"]] == [
        ("chat_id", "path", True),
        ("message_id", "path", True),
    ]
    assert deleted["requestBody"]["content"]["application/json"]["schema"]["properties"] == {}
    assert sent["parameters"] == []
    assert sent["requestBody"]["content"]["application/json"]["schema"]["required"] == ["chat_id", "text"]
    assert [(one["name"], one["in"], one["required"]) for one in listed["parameters"]] == [
        ("chat_id", "path", True),
        ("limit", "query", False),
    ]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    named = {reference.removeprefix("#/components/schemas/") for reference in _references(document)}

    assert named == {"Heard", "Line", "Problem"}
    assert named <= schemas.keys()


async def test_answers_are_as_the_document_says(http: httpx.AsyncClient, document: dict[str, Any]) -> None:
    answer = (await http.get("/api/chats/c/messages")).json()
    problem = (await http.get("/api/limited")).json()

    jsonschema.validate(answer, {"$ref": "#/components/schemas/Heard", **document})
    jsonschema.validate(problem, {"$ref": "#/components/schemas/Problem", **document})


def _schemas(document: dict[str, Any]) -> list[Any]:
    operations = [item for methods in document["paths"].values() for item in methods.values()]
    bodies = [
        media["schema"]
        for item in operations
        for media in item.get("requestBody", {}).get("content", {}).values()
    ]
    parameters = [one["schema"] for item in operations for one in item["parameters"]]
    return [*document["components"]["schemas"].values(), *bodies, *parameters]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in _references(item)]
    if isinstance(value, list):
        return [found for item in value for found in _references(item)]
    return []
