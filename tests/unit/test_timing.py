"""From the settings to the rule of the engine: windows per channel, and what closes a turn at once."""

from typing import Any

import pytest
from pydantic import SecretStr

from core.chats import Window
from core.closing import Closing
from orchestrator.settings import OrchestratorSettings
from orchestrator.timing import closing_of, windows_of


def settings(**given: Any) -> OrchestratorSettings:
    return OrchestratorSettings(
        database_url=SecretStr("postgresql://127.0.0.1/x"), channel_api_key=SecretStr("x" * 20), **given
    )


def test_a_channel_has_its_own_window_and_counts_like_the_others_unless_it_says() -> None:
    windows = windows_of(settings(max_count=50, channel_windows="avito=10/120/20,vk=5/60,max=1/2/0"))

    assert windows.of("telegram") == Window(20, 300, 50)
    assert windows.of("avito") == Window(10, 120, 20)
    assert windows.of("vk") == Window(5, 60, 50)
    assert windows.of("max") == Window(1, 2, 0)


def test_a_form_comes_whole_unless_it_has_a_window() -> None:
    assert windows_of(settings()).of("form") == Window(0, 0)
    assert windows_of(settings(channel_windows="form=1/2")).of("form") == Window(1, 2)


@pytest.mark.promise("closed_by")
@pytest.mark.parametrize(
    ("given", "event", "text", "why"),
    [
        ({}, "postback", "Да", "button"),
        ({}, "operator_message", "/start", "takeover"),
        ({}, "message", "/start", "command"),
        ({}, "message", "start", ""),
        ({}, "edit", "/start", ""),
        ({"closing_commands": "help"}, "message", "/start", ""),
        ({"closing_commands": "help"}, "message", "/HELP me", "command"),
        ({"closing_commands": "none"}, "message", "/start", ""),
        ({"closing_commands": "none"}, "postback", "Да", "button"),
    ],
)
def test_what_closes_a_turn_at_once(given: dict[str, str], event: str, text: str, why: str) -> None:
    assert windows_of(settings(**given)).closing.why(event, text) == why


def test_no_rule_closes_nothing() -> None:
    assert Closing().why("postback", "/start") == ""
    assert closing_of(()).why("message", "/start") == ""
