"""A model that follows a script, behind the APIs that the SDKs ask: Anthropic's Messages, OpenAI's Responses.

It looks the client up once, then decides by the newest words: a person is asked for, thanks, or a reply that
repeats what was asked, so that a test can see what the model was shown.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_SAID = re.compile(r'"text_untrusted": ?"([^"]+)"')
_CLIENT = re.compile(r'\\*"client_id\\*": ?\\*"(\d+)')


@dataclass
class Asked:
    """One request: what the model was told, by whom, and which tools it was given."""

    told: str
    shown: str
    tools: Mapping[str, Mapping[str, Any]]
    looked: bool
    as_json: bool


@dataclass
class FakeModels:
    """Remembers what was asked. `meanwhile` is called once, when the next decision is ready to be told."""

    asked: list[Asked] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None

    def app(self) -> Starlette:
        """Both APIs."""
        anthropic = Route("/v1/messages", self._messages, methods=["POST"])
        openai = Route("/v1/responses", self._responses, methods=["POST"])
        return Starlette(routes=[anthropic, openai])

    async def _messages(self, request: Request) -> Response:
        body = await request.json()
        asked = Asked(
            told=json.dumps(body["system"], ensure_ascii=False),
            shown=_words(body["messages"]),
            tools={tool["name"]: tool["input_schema"] for tool in body["tools"]},
            looked="tool_result" in json.dumps(body["messages"]),
            as_json="format" in body.get("output_config", {}),
        )
        name, arguments = await run_in_threadpool(self._next, asked)
        call = {"type": "tool_use", "id": f"toolu_{len(self.asked)}", "name": name, "input": arguments}
        text = {"type": "text", "text": json.dumps(arguments, ensure_ascii=False)}
        answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"]}
        ended = {"stop_reason": "tool_use" if name else "end_turn", "stop_sequence": None}
        usage = {"usage": {"input_tokens": 1, "output_tokens": 1}}
        message = {**answer, **ended, **usage, "content": [call if name else text]}
        return _streamed(message) if body.get("stream") else JSONResponse(message)

    async def _responses(self, request: Request) -> Response:
        body = await request.json()
        asked = Asked(
            told=body["instructions"],
            shown=_words(body["input"]),
            tools={tool["name"]: tool["parameters"] for tool in body["tools"]},
            looked="function_call_output" in json.dumps(body["input"]),
            as_json=body.get("text", {}).get("format", {}).get("type") == "json_schema",
        )
        name, arguments = await run_in_threadpool(self._next, asked)
        said = json.dumps(arguments, ensure_ascii=False)
        number = len(self.asked)
        call = {"type": "function_call", "call_id": f"call_{number}", "name": name, "arguments": said}
        text = {"type": "output_text", "text": said, "annotations": []}
        message = {"type": "message", "role": "assistant", "content": [text]}
        output = {**(call if name else message), "id": f"item_{number}", "status": "completed"}
        answer = {"id": f"resp_{number}", "object": "response", "created_at": 0, "model": body["model"]}
        rest = {"status": "completed", "parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
        return JSONResponse({**answer, **rest, "output": [output]})

    def _next(self, asked: Asked) -> tuple[str, dict[str, str]]:
        """The tool to call and its arguments; without a name: the decision as text."""
        self.asked.append(asked)
        if not asked.looked:
            return "get_client", {"client_id": _CLIENT.findall(asked.shown)[-1]}
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        deciding = [name for name, schema in asked.tools.items() if "action" in schema["properties"]]
        return ("" if asked.as_json else deciding[0]), _decision(asked.shown)


def _streamed(message: dict[str, Any]) -> Response:
    """The same message of Anthropic's as events."""
    [block] = message["content"]
    begun: dict[str, Any]
    if block["type"] == "tool_use":
        begun, delta = {"input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        begun, delta = {"text": ""}, {"type": "text_delta", "text": block["text"]}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events: tuple[dict[str, Any], ...] = (
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {**block, **begun}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    )
    lines = (f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
    return Response("".join(lines), media_type="text/event-stream")


def _decision(shown: str) -> dict[str, str]:
    """By everything that the customer wrote in what was shown last."""
    words = _SAID.findall(shown.rpartition("\n")[2])
    if any("человек" in text for text in words):
        return {"action": "hand_off", "words": "просит человека"}
    if words == ["спасибо"]:
        return {"action": "skip_turn", "words": "только благодарит"}
    return {"action": "reply", "words": f"Отвечаю на: {'; '.join(words)}"}


def _words(conversation: Any) -> str:
    """The user's side, one message a line."""
    if isinstance(conversation, str):
        return conversation
    mine = (one["content"] for one in conversation if one.get("role") == "user")
    return "\n".join(text for content in mine for text in _texts(content))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    yield from (part["text"] for part in content if part["type"] in ("text", "input_text"))
