"""What can be asked of the orchestrator: each desk brings its operations, for MCP tools and REST alike."""

from core.apps import View
from core.operations import Operation
from core.prompts import PromptOf
from core.resources import ResourceOf
from orchestrator.hub_app import AppDesk
from orchestrator.hub_appeals import AppealDesk
from orchestrator.hub_audit import AuditDesk
from orchestrator.hub_bulks import BulkDesk
from orchestrator.hub_clients import ClientDesk
from orchestrator.hub_deliveries import DeliveryDesk
from orchestrator.hub_letters import LetterDesk
from orchestrator.hub_parts import HubParts
from orchestrator.hub_prompts import Prompts
from orchestrator.hub_reading import ReadingDesk
from orchestrator.hub_takeover import TakeoverDesk
from orchestrator.hub_trace import TraceDesk
from orchestrator.hub_turns import TurnDesk
from orchestrator.hub_writing import Writing

#: What an agent that answers customers needs in its loop, and what shows a person the inbox; the rest is for
#: programs and operators. What closes a case alone is left out: update_appeal does it as well.
HUB_CORE = frozenset(
    {
        "wait_for_turn",
        "reply",
        "skip_turn",
        "extend_turn",
        "release_turn",
        "hand_off",
        "get_appeal",
        "update_appeal",
        "get_client",
        "send_message",
        "get_delivery",
        "show_inbox",
    }
)


class Hub:
    """The desks of the orchestrator, in the order in which an agent meets them."""

    def __init__(self, parts: HubParts) -> None:
        self.parts = parts
        self._writing = Writing(parts)
        self._turns = TurnDesk(parts, self._writing)
        self._takeover = TakeoverDesk(parts, self._writing)
        self._appeals = AppealDesk(parts)
        self._letters = LetterDesk(parts)
        self._deliveries = DeliveryDesk(parts)
        self._bulks = BulkDesk(parts)
        self._trace = TraceDesk(parts)
        self._audit = AuditDesk(parts)
        self._clients = ClientDesk(parts)
        looked_up = [*self._appeals.operations(), *self._clients.operations()]
        self._reading = ReadingDesk(parts, {one.name: one for one in looked_up})
        self._app = AppDesk(parts, {one.name: one for one in self._others()})

    def stop(self) -> None:
        """The process ends: nobody is kept waiting."""
        self._turns.stop()
        self._bulks.stop()

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._turns.close()

    def operations(self) -> list[Operation]:
        """All of them."""
        return [*self._others(), *self._app.operations()]

    def _others(self) -> list[Operation]:
        return [
            *self._turns.operations(),
            *self._takeover.operations(),
            *self._appeals.operations(),
            *self._writing.operations(),
            *self._bulks.operations(),
            *self._deliveries.operations(),
            *self._letters.operations(),
            *self._trace.operations(),
            *self._audit.operations(),
            *self._clients.operations(),
            *self._reading.operations(),
        ]

    def resources(self) -> list[ResourceOf]:
        """What may be read under a URI."""
        return self._reading.resources()

    def views(self) -> list[View]:
        """What clients that show apps can show."""
        return self._app.views()

    def prompts(self) -> list[PromptOf]:
        """Tasks for an agent, with the case beside them."""
        return Prompts(self.parts, self._reading.case).all()
