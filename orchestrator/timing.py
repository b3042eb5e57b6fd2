"""When a turn closes, as the settings say: a window per channel, and what closes it at once in any."""

from collections.abc import Mapping

from core.chats import Window, Windows
from core.closing import Closing
from orchestrator.batching import ClosedBy
from orchestrator.settings import OrchestratorSettings, parse_commands, parse_windows

#: A button waits for its answer; an operator's words mean that a person has taken over.
AT_ONCE: Mapping[str, ClosedBy] = {"postback": "button", "operator_message": "takeover"}
#: A form comes whole: there is nothing to wait for.
_FORM = Window(0, 0)


def windows_of(settings: OrchestratorSettings) -> Windows:
    """The rule of the incoming engine."""
    default = Window(settings.silence_seconds, settings.longest_seconds, settings.max_count)
    own = {
        name: Window(silence, longest, settings.max_count if count is None else count)
        for name, (silence, longest, count) in parse_windows(settings.channel_windows).items()
    }
    return Windows(default, {"form": _FORM} | own, closing_of(parse_commands(settings.closing_commands)))


def closing_of(commands: tuple[str, ...]) -> Closing:
    """What closes a turn at once, with these commands (see parse_commands)."""
    why: ClosedBy = "command"
    return Closing(AT_ONCE, dict.fromkeys(commands, why))
