"""A language model behind an HTTP API: Anthropic's, or any that speaks like OpenAI's."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from pydantic import BaseModel, Field, SecretStr

MAX_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that a model may do instead of writing, or beside it; its one argument is the reason."""

    name: str
    description: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its arguments."""
        reason = {"type": "string", "description": "Why, in one short sentence"}
        return {"type": "object", "properties": {"reason": reason}, "required": ["reason"]}


@dataclass(frozen=True, slots=True)
class Said:
    """What a model wrote, and the reason it gave for each tool that it called."""

    text: str
    calls: dict[str, str] = field(default_factory=dict)


class Model(Protocol):
    """Anything that can be asked."""

    async def ask(self, system: str, question: str, tools: tuple[Tool, ...] = ()) -> Said:
        """One answer. Raises httpx.HTTPError, or pydantic.ValidationError when it cannot be read."""


class _Arguments(BaseModel):
    reason: str = ""


class _Block(BaseModel):
    type: str = ""
    text: str = ""
    name: str = ""
    input: _Arguments = Field(default_factory=_Arguments)


class _AnthropicAnswer(BaseModel):
    content: list[_Block]


class AnthropicModel:
    """Claude, by the Messages API."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, key: SecretStr, model: str) -> None:
        self._http = http
        self._url = f"{base_url.rstrip('/')}/v1/messages"
        self._headers = {"x-api-key": key.get_secret_value(), "anthropic-version": "2023-06-01"}
        self._model = model

    async def ask(self, system: str, question: str, tools: tuple[Tool, ...] = ()) -> Said:
        """One call; what it thought is left out."""
        body: dict[str, Any] = {"model": self._model, "max_tokens": MAX_TOKENS, "system": system}
        body["messages"] = [{"role": "user", "content": question}]
        if tools:
            body["tools"] = [
                {"name": one.name, "description": one.description, "input_schema": one.schema}
                for one in tools
            ]
        answer = _AnthropicAnswer.model_validate_json(await _post(self._http, self._url, self._headers, body))
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = {block.name: block.input.reason for block in answer.content if block.type == "tool_use"}
        return Said(text.strip(), calls)


class _Function(BaseModel):
    name: str
    arguments: str = ""

    @property
    def reason(self) -> str:
        """Models that call without arguments, or with broken ones, mean the call all the same."""
        try:
            return _Arguments.model_validate_json(self.arguments or "{}").reason
        except ValueError:
            return ""


class _Call(BaseModel):
    function: _Function


class _Written(BaseModel):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Written


class _Completion(BaseModel):
    choices: list[_Choice]


class OpenAICompatibleModel:
    """Any model behind POST {base_url}/chat/completions."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, key: SecretStr, model: str) -> None:
        self._http = http
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        secret = key.get_secret_value()
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._model = model

    async def ask(self, system: str, question: str, tools: tuple[Tool, ...] = ()) -> Said:
        """One call; the first choice counts."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        body: dict[str, Any] = {"model": self._model, "max_tokens": MAX_TOKENS, "messages": messages}
        if tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": one.name,
                        "description": one.description,
                        "parameters": one.schema,
                    },
                }
                for one in tools
            ]
        answer = _Completion.model_validate_json(await _post(self._http, self._url, self._headers, body))
        written = [choice.message for choice in answer.choices[:1]]
        text = "".join(one.content or "" for one in written)
        calls = [call.function for one in written for call in one.tool_calls or ()]
        return Said(text.strip(), {call.name: call.reason for call in calls})


async def _post(http: httpx.AsyncClient, url: str, headers: dict[str, str], body: dict[str, Any]) -> bytes:
    response = await http.post(url, headers=headers, json=body)
    return response.raise_for_status().content
