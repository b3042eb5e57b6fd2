"""What a client of another make is asked to do with a server of ours, and what it tells of it.

A walk is a program of tests/conformance/foreign-clients, run by the make's own interpreter: a plan goes in as
JSON, what the client saw comes out as one line of JSON, under the names of `Seen`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.programs import output_of

CLIENTS = Path(__file__).parent / "foreign-clients"


@dataclass(frozen=True)
class Plan:
    """`place`: url and key, or command and env. `more`: what only some clients can.

    `ask` {tool, arguments, answer: what its question is answered with}. `listen` and `subscribe` {uri,
    trigger: [{tool, arguments, keeps: what the next step is given of the answer}]}.

    `template`: the URI of a resource that a template makes; `prompt` and `complete` as the protocol has them.
    """

    place: Mapping[str, Any]
    call: Mapping[str, Any]
    error: Mapping[str, Any]
    resource: str
    template: str
    prompt: Mapping[str, Any]
    complete: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """For the walk."""
        steps = {
            "call": self.call,
            "error": self.error,
            "resource": self.resource,
            "missing": "test://nothing",
            "template": self.template,
            "prompt": self.prompt,
            "complete": self.complete,
        }
        return json.dumps({**self.place, **steps, **self.more})


@dataclass(frozen=True)
class Seen:
    """What the client saw. `error` {failed, text, beside: _meta}; `missing`: the words of the refusal."""

    version: str
    server: str
    instructions: str
    tools: Sequence[str]
    call: Mapping[str, Any]
    error: Mapping[str, Any]
    resource: str
    missing: str
    templates: Sequence[str]
    template: str
    prompts: Sequence[str]
    prompt: str
    completion: Sequence[str]
    asked: str = ""
    heard: str = ""
    closed: str = ""


async def walked(*command: str | Path, plan: Plan) -> Seen:
    """Run a walk. AssertionError with what it said when it failed."""
    code, said, complained = await output_of(*command, plan.as_json())
    assert code == 0, complained[-3000:]
    return Seen(**json.loads(said))
