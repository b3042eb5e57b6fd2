"""A webhook that cannot be called, or signs nothing, stops the start with a word about it."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.agent_webhook import Target
from orchestrator.waking_settings import WakingSettings

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def settings(**given: Any) -> WakingSettings:
    return WakingSettings(**given)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://agent.example/wake", False),
        ("http://127.0.0.1:9000/wake", False),
        ("http://localhost/", False),
        ("http://[::1]:9000/", False),
        ("http://agent:9000/wake", True),
        ("https://10.0.0.7/wake", True),
    ],
)
def test_an_address_that_may_be_called(url: str, private: bool) -> None:
    made = settings(agent_webhook_url=url, agent_webhook_secret=SECRET, agent_webhook_private=private)

    assert made.agent_webhook_url == url


@pytest.mark.promise("settings")
@pytest.mark.parametrize(
    ("url", "secret", "said"),
    [
        ("http://agent.example/wake", SECRET, "must be https:// unless AGENT_WEBHOOK_PRIVATE=true"),
        ("http://agent:9000", SECRET, "must be https:// unless AGENT_WEBHOOK_PRIVATE=true"),
        ("ftp://agent.example", SECRET, "must be https://host"),
        ("agent.example/wake", SECRET, "must be https://host"),
        ("https://me:word@agent.example", SECRET, "without a user name"),
        ("https://agent.example", "", "is missing: AGENT_WEBHOOK_URL needs it"),
        ("https://agent.example", "secret", "must begin with whsec_"),
    ],
)
def test_what_cannot_work_stops_the_start(url: str, secret: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(agent_webhook_url=url, agent_webhook_secret=secret)

    assert said in str(refused.value)


def test_nobody_is_called_when_nothing_is_set() -> None:
    assert Target.of(settings()) is None


@pytest.mark.promise("no-secrets")
def test_the_path_of_the_address_is_not_shown() -> None:
    target = Target.of(
        settings(agent_webhook_url="https://agent.example/s3cret", agent_webhook_secret=SECRET)
    )

    assert target is not None
    assert target.host == "agent.example"
