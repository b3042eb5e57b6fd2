"""`python -m evals`: play the scenarios, print pass^k, keep the report; exit code 0 when enough passed."""

import argparse
import asyncio
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from evals.judge import ModelJudge
from evals.library import FOLDER, ScenarioError, load, select
from evals.observer import Observer
from evals.phone import Phone
from evals.player import Pace, Player
from evals.report import Report
from evals.scenario import Scenario
from evals.settings import EvalSettings, model_settings, of_agent
from evals.stage import SILENCE, NotStarted, Stage, agent_at_work, stage
from evals.trials import Outcome, Trial, Trials
from examples.agent.__main__ import choose_model
from examples.agent.model import Model
from launcher.child import Child

DEMO = [sys.executable, "-m", "examples.agent"]
#: How often it is looked whether the agent still runs, s.
_LOOK_EVERY = 0.5
BUSINESS = Path(__file__).with_name("business.txt")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the command line asks for."""

    scenarios: list[Scenario]
    left_out: list[Scenario]
    agent: str
    times: int
    at_once: int
    patience: float


def main(argv: Sequence[str] | None = None) -> int:
    """0: enough passed; 1: too little did; 2: nothing could be played."""
    options = _parser().parse_args(argv)
    try:
        chosen = _chosen(options)
        if options.list:
            _tell("\n".join(_line(one) for one in chosen.scenarios))
            return 0
        report = _run(chosen)
    except (ScenarioError, NotStarted) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    kept = report.write(options.out)
    _tell(f"\n{report.text()}\n\nKept in {kept}.")
    return 0 if report.pass_hat(report.times) >= options.least else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals", description="Customers who try an agent.")
    parser.add_argument("--agent", default="demo", help="demo, rules (demo without its model), or a command")
    parser.add_argument("--needs", choices=["rules", "model", "any"], help="any with a model, else rules")
    parser.add_argument("--times", type=int, default=1, metavar="K", help="play each so often, for pass^K")
    parser.add_argument("--least", type=float, default=1.0, help="the pass^K that is enough")
    parser.add_argument("--at-once", type=int, default=16, help="conversations side by side")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds that an answer may take")
    parser.add_argument("--only", nargs="*", default=[], metavar="ID", help="these scenarios")
    for name in ("theme", "language", "channel"):
        parser.add_argument(f"--{name}", default="", help=f"scenarios of this {name}")
    parser.add_argument("--scenarios", type=Path, default=FOLDER, help="a folder of your own")
    parser.add_argument("--out", type=Path, default=Path("var/evals"), help="where the report is kept")
    parser.add_argument("--list", action="store_true", help="name the scenarios and play none")
    return parser


def _chosen(options: argparse.Namespace) -> Chosen:
    wanted = {name: getattr(options, name) for name in ("theme", "language", "channel")}
    found = select(load(options.scenarios), ids=options.only, **wanted)
    needs = options.needs or ("any" if options.only or _has_model(options.agent) else "rules")
    played = [one for one in found if needs in ("any", one.needs)]
    if not played:
        raise ScenarioError(f"no scenario that needs {needs} is left by what was chosen")
    left_out = [one for one in found if one not in played and one.needs == "model"]
    return Chosen(played, left_out, options.agent, options.times, options.at_once, options.patience)


def _has_model(agent: str) -> bool:
    """Somebody else's agent is taken to have one."""
    if agent == "demo":
        settings = model_settings()
        return bool(settings.anthropic_api_key or settings.llm_base_url)
    return agent != "rules"


def _run(chosen: Chosen) -> Report:
    settings = EvalSettings()
    _require_models(settings)
    _tell(f"==> Scenarios: {len(chosen.scenarios)}; starting the system")
    with tempfile.TemporaryDirectory(prefix="eldoleado-evals-") as folder:
        place = Path(folder)
        with stage(place, {one.channel for one in chosen.scenarios}) as system:
            command = DEMO if chosen.agent in ("demo", "rules") else shlex.split(chosen.agent)
            facts = {"AGENT_SYSTEM_PROMPT": BUSINESS.read_text("utf-8"), "AGENT_FALLBACK": "person"}
            more = {**facts, "AGENT_CONCURRENCY": str(chosen.at_once), **system.of_agent}
            environment = of_agent(more, without_models=chosen.agent == "rules")
            with agent_at_work(command, environment, place / "agent.log") as agent:
                outcomes = asyncio.run(_play(chosen, system, settings, agent))
    return Report(outcomes, chosen.left_out, chosen.agent, settings.judge_model)


async def _play(chosen: Chosen, system: Stage, settings: EvalSettings, agent: Child) -> list[Outcome]:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as local, httpx.AsyncClient(timeout=60) as out:
        player = Player(
            Phone(local, system.sandbox),
            Observer(local, system.hub, system.operator_key),
            Pace(SILENCE, patience=chosen.patience),
        )
        judge = _model(out, settings.judge_model)
        trials = Trials(
            player,
            judge=ModelJudge(judge, BUSINESS.read_text("utf-8")) if judge else None,
            customer_model=_model(out, settings.customer_model),
        )
        playing = asyncio.create_task(
            trials.run(chosen.scenarios, times=chosen.times, at_once=chosen.at_once, tell=_tell_of)
        )
        return await _while_alive(playing, agent)


async def _while_alive(playing: "asyncio.Task[list[Outcome]]", agent: Child) -> list[Outcome]:
    """What is being played, unless the agent ends before it. Raises NotStarted."""
    while not playing.done():
        await asyncio.wait({playing}, timeout=_LOOK_EVERY)
        if not agent.alive:
            playing.cancel()
            raise NotStarted(f"The agent ended ({agent.ending}):\n{agent.last_words(15)}")
    return playing.result()


def _model(http: httpx.AsyncClient, named: str) -> Model | None:
    return choose_model(model_settings(), http, named=named) if named else None


def _require_models(settings: EvalSettings) -> None:
    """A judge or a customer that cannot be asked is told before the system is started."""
    wanted = {"EVALS_JUDGE_MODEL": settings.judge_model, "EVALS_CUSTOMER_MODEL": settings.customer_model}
    named = [name for name, model in wanted.items() if model]
    if named and not _has_model("demo"):
        raise ScenarioError(
            f"{', '.join(named)}: set ANTHROPIC_API_KEY, or LLM_BASE_URL and LLM_MODEL, to ask it"
        )


def _tell_of(scenario: Scenario, trial: Trial) -> None:
    _tell(f"{'passed' if trial.passed else 'FAILED'}  {scenario.id}")


def _line(scenario: Scenario) -> str:
    return f"{scenario.id:<36} {scenario.needs:<6} {scenario.channel:<10} {scenario.about}"


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
