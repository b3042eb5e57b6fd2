"""Start the receiver: `python -m examples.webhook_receiver [port]`, then point AGENT_WEBHOOK_URL at /wake."""

import asyncio
import logging
import sys

import uvicorn

from examples.agent.answers import RuleAnswerer
from examples.agent.hub import Hub, over_http
from examples.agent.loop import Agent
from examples.webhook_receiver.receiver import Receiver
from examples.webhook_receiver.settings import ReceiverSettings, load

PORT = 9000


async def run(settings: ReceiverSettings, port: int) -> None:
    """Answer the turns that the hub tells of, by the rules of the demo agent, until stopped."""
    connect = over_http(settings.hub_url, settings.hub_api_key.get_secret_value())
    async with Hub(connect).connected() as hub:
        agent = Agent(hub, RuleAnswerer(), name=settings.agent_name)
        secret = settings.agent_webhook_secret.get_secret_value()
        receiver = Receiver(secret, hub, agent.serve, name=settings.agent_name)
        await uvicorn.Server(uvicorn.Config(receiver.app(), port=port, log_level="warning")).serve()
        await receiver.finish()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    asyncio.run(run(load(), int(sys.argv[1]) if len(sys.argv) > 1 else PORT))
