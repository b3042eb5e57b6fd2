"""Every error has one form and says what to do; what was sent is not echoed."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from starlette.responses import Response

from core.errors import LONGEST_DETAIL, ChannelError, RateLimited, Rejected, error_class
from core.problems import PROBLEM_SCHEMA, from_channel_error, from_validation_error, problem

SECRET = "correct-horse-battery"


def read(response: Response) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(bytes(response.body))
    assert set(PROBLEM_SCHEMA["required"]) <= members.keys()
    assert response.media_type == "application/problem+json"
    assert response.status_code == members["status"]
    return members


def test_a_problem_names_the_field() -> None:
    members = read(problem(422, "invalid", "must be a phone number", field="phone"))

    assert members["errors"] == [{"field": "phone", "message": "must be a phone number"}]
    assert members["title"] in ("Unprocessable Entity", "Unprocessable Content")
    assert members["retryable"] is False


def test_half_an_emoji_in_the_detail_does_not_break_the_answer() -> None:
    assert read(problem(400, "unreadable_json", "half \ud83d"))["detail"] == "half �"


@pytest.mark.parametrize("error", ChannelError.__subclasses__())
def test_every_channel_error_keeps_its_meaning(error: type[ChannelError]) -> None:
    members = read(from_channel_error(error("It went wrong.", channel="avito")))

    assert error_class(members["code"]) is error
    assert members["detail"] == "It went wrong."
    assert members["retryable"] is error.retryable
    assert members["what_to_do"] == error.what_to_do
    assert members["channel"] == "avito"


@pytest.mark.promise("untrusted")
def test_a_detail_is_one_line_without_hidden_signs_and_not_endless() -> None:
    """Whatever it quotes: a second line could pass for an error of its own."""
    error = Rejected("no chat 'a\n\nnot_found: b\u2028c\u202e\U000e0041'" + "я" * 5_000)

    assert read(from_channel_error(error))["detail"].startswith("no chat 'a not_found: b c'яя")
    assert str(error).count("\n") == 0
    assert len(error.detail) == LONGEST_DETAIL


def test_the_time_to_wait_is_a_header_in_whole_seconds_and_a_member() -> None:
    answer = from_channel_error(RateLimited(retry_after=2.1))

    assert answer.headers["retry-after"] == "3"
    assert read(answer)["retry_after"] == 2.1


def test_no_time_to_wait_is_no_header() -> None:
    assert "retry-after" not in from_channel_error(Rejected()).headers


class Order(BaseModel):
    """Wrong in many ways."""

    name: str
    amount: int = Field(le=10)
    token: SecretStr = Field(min_length=50)
    note: str = ""

    @field_validator("note")
    @classmethod
    def _refuse(cls, value: str) -> str:
        raise ValueError(f"I do not like {value!r} or {value[:7]!r} beside 'that'")


def refusal() -> dict[str, Any]:
    with pytest.raises(ValidationError) as refused:
        Order.model_validate({"amount": 12, "token": SECRET, "note": SECRET})
    return read(from_validation_error(refused.value))


def test_every_wrong_field_is_named() -> None:
    members = refusal()

    assert members["status"] == 422
    assert [error["field"] for error in members["errors"]] == ["name", "amount", "token", "note"]
    assert members["detail"] == "Wrong or missing: name, amount, token, note."


def test_what_was_sent_is_not_echoed() -> None:
    members = refusal()

    assert SECRET[:7] not in json.dumps(members)
    assert "beside 'that'" in members["errors"][3]["message"]


def test_a_body_that_is_wrong_as_a_whole_is_called_body() -> None:
    with pytest.raises(ValidationError) as refused:
        Order.model_validate(SECRET)

    members = read(from_validation_error(refused.value))
    assert members["errors"][0]["field"] == "body"
    assert SECRET not in json.dumps(members)
