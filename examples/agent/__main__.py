"""Start the demo agent: settings -> answerer -> hub -> loop."""

import asyncio
import logging
import signal
import sys

import httpx

from examples.agent.answers import Answerer, RuleAnswerer
from examples.agent.hub import Hub, over_http
from examples.agent.llm import FallbackToPerson, ModelAnswerer, system_prompt
from examples.agent.loop import Agent
from examples.agent.model import AnthropicModel, Model, OpenAICompatibleModel
from examples.agent.settings import AgentSettings, load


def choose_model(settings: AgentSettings, http: httpx.AsyncClient, *, named: str = "") -> Model | None:
    """The model that there is a key or an address for, or one called `named` at the same place; else None."""
    if settings.anthropic_api_key:
        url, name = settings.anthropic_base_url, named or settings.anthropic_model
        return AnthropicModel(http, url, settings.anthropic_api_key, name)
    if settings.llm_base_url:
        name = named or settings.llm_model
        return OpenAICompatibleModel(http, settings.llm_base_url, settings.llm_api_key, name)
    return None


def choose_answerer(settings: AgentSettings, http: httpx.AsyncClient) -> Answerer:
    """A model when there is a key for one, the rule table otherwise and, unless set, as its fallback."""
    model = choose_model(settings, http)
    if model is None:
        return RuleAnswerer()
    fallback = RuleAnswerer() if settings.agent_fallback == "rules" else FallbackToPerson()
    return ModelAnswerer(model, prompt=system_prompt(settings.agent_system_prompt), fallback=fallback)


async def run(settings: AgentSettings) -> None:
    """Answer turns until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    connect = over_http(settings.hub_url, settings.hub_api_key.get_secret_value())
    async with (
        httpx.AsyncClient(timeout=settings.llm_timeout_seconds) as http,
        Hub(connect).connected() as hub,
    ):
        answerer = choose_answerer(settings, http)
        log = logging.getLogger("agent")
        log.info("%s · hub %s · answers: %s", settings.agent_name, settings.hub_url, type(answerer).__name__)
        agent = Agent(hub, answerer, name=settings.agent_name, concurrency=settings.agent_concurrency)
        await agent.run(stop)
        log.info("%s · stopped", settings.agent_name)


def main() -> None:
    """Log to stdout, one line per event, and run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for name in ("httpx", "httpx2", "mcp"):
        logging.getLogger(name).setLevel(logging.WARNING)
    asyncio.run(run(load()))


if __name__ == "__main__":
    main()
