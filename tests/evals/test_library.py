"""The scenarios that come with us, and what is said of files that cannot be played."""

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel

from core.registry import CHANNELS
from evals.__main__ import _while_alive, main
from evals.library import ScenarioError, load, select
from evals.scenario import Answering, Customer, Deed, Expectation, Overall, Scenario, Step
from evals.stage import NotStarted, agent_at_work
from evals.trials import Outcome

#: What a shop's customers do to an agent; each in both languages.
THEMES = {
    "anger and people",
    "Avito seller",
    "bursts",
    "conversations",
    "corrections and edits",
    "haggling",
    "prompt injection",
    "voice and photos",
    "wrong channel",
}
PAGE = (Path(__file__).parents[2] / "docs" / "evals.md").read_text("utf-8")
HEAD = "theme: t\nlanguage: ru\nscenarios:\n"


def told(folder: Path, *scenarios: str) -> list[str]:
    """What is wrong with one file of these scenarios."""
    (folder / "mine.yaml").write_text(HEAD + "".join(scenarios), "utf-8")
    with pytest.raises(ScenarioError) as error:
        load(folder)
    return str(error.value).splitlines()


def scenario(*lines: str, channel: str = "telegram", number: str = "one") -> str:
    """A scenario of the file that has these lines as well."""
    head = f"  - id: {number}\n    about: a\n    needs: rules\n    channel: {channel}\n"
    return head + "".join(f"    {line}\n" for line in lines)


def test_there_are_enough_scenarios_of_every_kind() -> None:
    """At least 50, half a dozen for a model in each language, every theme in both, on every messenger."""
    found = load()
    themes = Counter((one.theme, one.language) for one in found)
    assert len(found) >= 100
    assert set(themes) == {(theme, language) for theme in THEMES for language in ("ru", "en")}
    assert {one.channel for one in found} == {channel.channel for channel in CHANNELS}
    assert min(Counter(one.language for one in found if one.needs == "model").values()) >= 6


def test_every_sort_of_deed_is_tried() -> None:
    """Bursts, edits, deletions, voice notes of both sorts, photos, files, buttons, others, an operator."""
    found = load()
    deeds = [deed for one in found for step in one.steps for deed in step.deeds]
    tried = [
        any(deed.edit for deed in deeds),
        any(deed.delete for deed in deeds),
        any(deed.voice is True for deed in deeds),
        any(isinstance(deed.voice, str) for deed in deeds),
        any(deed.photo for deed in deeds),
        any(deed.file for deed in deeds),
        any(deed.press for deed in deeds),
        any(one.by("bystander") for one in found),
        any(one.by("operator") for one in found),
        any(one.customer.answers for one in found),
        any(one.customer.goal for one in found),
    ]
    assert all(tried)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["write: {}"], "steps.0.write.0: give text, photo, voice, file, press, edit or delete"),
        (["write: {edit: 1}"], "steps.0.write.0: edit needs its new text"),
        (["write: [a, {edit: 2, text: b}]"], "there is no message 2 of the customer to change yet"),
        (["write: a", "expect: {says: ['(']}"], "steps.0.expect.says.0: '(' is no regular expression"),
        (["write: a", "expect: {sais: [b]}"], "steps.0.expect.sais: Extra inputs are not permitted"),
        (["write: a", "expect: {answers: 0, says: [b]}"], "steps.0.expect: nothing can be said where no"),
        (["write: a", "expect: {answers: [2, 1]}"], "steps.0.expect: answers: the least comes first"),
        (["write: a", "ad: Экран"], "only Avito has ads"),
        (["write: [a, {delete: 1}]"], "telegram tells a shop nothing of deletions"),
        (["write: a", "overall: {bystander_hears: 0}"], "overall.bystander_hears: there is no bystander"),
        (["steps: [{operator: a}]"], "on telegram nobody but the bot can write for the shop"),
        (["steps: [{write: a, bystander: b}]"], "steps.0: a step has one of write, bystander and operator"),
        (["steps: []"], "steps: there must be at least one"),
        (["write: []"], "steps.0.write: there must be at least one"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, lines: list[str], said: str) -> None:
    """The file, the scenario, the field and what is wrong, on one line."""
    [line] = told(tmp_path, scenario(*lines))
    assert line.startswith(f"mine.yaml: one: {said}")


def test_an_edit_on_avito_is_refused(tmp_path: Path) -> None:
    """Such a scenario would try nothing."""
    [line] = told(tmp_path, scenario("write: [a, {edit: 1, text: b}]", channel="avito"))
    assert line == "mine.yaml: one: avito has no edits"


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """A broken file, an unknown messenger and an id that stands twice."""
    (tmp_path / "broken.yaml").write_text("theme: [", "utf-8")
    right = scenario("write: a", number="two")
    lines = told(tmp_path, scenario("write: a", channel="icq"), right, right)
    assert [line.partition(": ")[0] for line in lines] == ["broken.yaml", "mine.yaml", "two"]
    assert "'icq' is no messenger; there are avito," in lines[1]
    assert lines[2] == "two: the id stands 2 times"


def test_the_documents_example_can_be_played(tmp_path: Path) -> None:
    """Whoever copies it has a scenario."""
    (tmp_path / "copied.yaml").write_text(PAGE.partition("```yaml\n")[2].partition("```")[0], "utf-8")
    [copied] = load(tmp_path)
    assert len(copied.steps) == 2


@pytest.mark.parametrize("part", [Scenario, Step, Deed, Expectation, Overall, Customer, Answering])
def test_every_field_is_in_the_document(part: type[BaseModel]) -> None:
    """By its name in code marks; the head of a file stands in the example."""
    assert [name for name in part.model_fields if f"`{name}`" not in PAGE + "`theme`"] == []


def test_a_folder_without_scenarios_is_told(tmp_path: Path) -> None:
    """An eval of nothing would pass."""
    with pytest.raises(ScenarioError, match="has no scenarios"):
        load(tmp_path)


def test_scenarios_are_chosen_by_what_they_are() -> None:
    """By ids and by each of theme, language, channel."""
    found = load()
    assert {one.language for one in select(found, language="en", theme="")} == {"en"}
    assert [one.id for one in select(found, ids=["ru-voice-heard"])] == ["ru-voice-heard"]
    with pytest.raises(ScenarioError, match="there is no scenario nonsense"):
        select(found, ids=["nonsense"])
    with pytest.raises(ScenarioError, match="no scenario is left"):
        select(found, theme="nonsense")


def test_the_command_lists_what_it_would_play(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started for that."""
    assert main(["--list", "--agent", "rules", "--language", "en"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len([one for one in load() if (one.language, one.needs) == ("en", "rules")])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--only", "nonsense"], "there is no scenario nonsense"),
        (["--agent", "rules", "--theme", "nonsense"], "no scenario is left"),
        (["--agent", "rules"], "EVALS_JUDGE_MODEL: set ANTHROPIC_API_KEY"),
    ],
)
def test_what_cannot_be_played_is_told_before_anything_starts(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, as for a wrong command line."""
    for name in ("ANTHROPIC_API_KEY", "LLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVALS_JUDGE_MODEL", "somebody")
    assert main(argv) == 2
    assert said in capsys.readouterr().err


async def test_an_agent_that_ends_is_told_at_once(tmp_path: Path) -> None:
    """Nobody waits an hour for the answers of a program that is not there."""
    never = asyncio.create_task(forever())
    path = {"PATH": os.environ["PATH"]}
    with (
        agent_at_work(["false"], path, tmp_path / "agent.log") as agent,
        pytest.raises(NotStarted, match=r"The agent ended \(exit code 1\)"),
    ):
        await _while_alive(never, agent)
    with pytest.raises(asyncio.CancelledError):
        await never


async def forever() -> list[Outcome]:
    await asyncio.Event().wait()
    return []
