"""What is handed out: each channel by itself, and the way to a hub."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.registry import CHANNELS, Service, service
from publish.variables import Variable, of_channel, of_hub

#: Of what the account of these messengers tells by itself, without a webhook (docs/channels.md).
_LOOKS_BACK = {
    "max": "MAX shows the messages of a chat whose id you have; it lists no chats by itself.",
    "telegram": "A Telegram bot cannot look back: by itself it only sends to chats whose id you have.",
}
_ABOUT = (
    "The {title} channel of Eldoleado Channels by itself. It needs the account's keys and nothing else: what "
    "it has sent is remembered in an embedded Redis, in `{home}`, unless REDIS_URL names a server. No "
    "webhook reaches it. {looks_back} With the REDIS_URL of a running system it knows the chats of its "
    "webhooks."
)
_USUALLY = "Chats and messages are read from the messenger's own history."


@dataclass(frozen=True, slots=True)
class Product:
    """`entries` are the modules that it is made of, with what they import; `starts` is its program."""

    name: str
    title: str
    description: str
    about: str
    entries: tuple[str, ...]
    starts: str
    variables: Sequence[Variable]
    port: int
    needs_redis: bool


def _channel(channel: Service) -> Product:
    return Product(
        name=f"eldoleado-{channel.channel}",
        title=f"Eldoleado: {channel.title}",
        description=f"Read and answer the {channel.title} chats of a business, with an account of your own",
        about=_ABOUT.format(
            title=channel.title,
            home=f"~/.eldoleado/{channel.channel}",
            looks_back=_LOOKS_BACK.get(channel.channel, _USUALLY),
        ),
        entries=("launcher.alone", f"{channel.package}.__main__"),
        starts=_program("launcher.alone", f'"{channel.channel}"'),
        variables=of_channel(channel),
        port=channel.port,
        needs_redis=True,
    )


def _hub() -> Product:
    return Product(
        name="eldoleado-hub",
        title="Eldoleado: hub for agents",
        description="Take a customer's turn from any messenger, answer it once, or hand it to a person",
        about=(
            "The way to a running hub of Eldoleado Channels, on this machine or elsewhere: its address and "
            "an agent's key. What the client may do is what that key may."
        ),
        entries=("launcher.bridge",),
        starts=_program("launcher.bridge"),
        variables=of_hub(),
        port=service("orchestrator").port,
        needs_redis=False,
    )


def _program(module: str, arguments: str = "") -> str:
    return (
        f'from {module} import main\n\nif __name__ == "__main__":\n    raise SystemExit(main({arguments}))\n'
    )


PRODUCTS: tuple[Product, ...] = (_hub(), *(_channel(channel) for channel in CHANNELS))
