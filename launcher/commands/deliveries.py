"""`eldoleado delivery …`: what became of a message, and what is to become of one nobody knows of."""

from launcher.command import PAGE, YES, Command, Desk, Given, confirmed, option, word
from launcher.hub_client import Answer
from launcher.shown import rows

_COLUMNS = (
    "delivery_id",
    "state",
    "given_up",
    "channel",
    "account",
    "chat_id",
    "attempts",
    "error_code",
    "created_at",
    "text_untrusted",
)
_ONE = word("delivery_id", "from delivery list, or from what accepted the message")


def _asked_first(command: Command, desk: Desk, given: Given) -> Answer:
    confirmed(desk, given, "The customer may see the message twice. Send it anew?")
    return command.ask(desk, given)


COMMANDS = (
    Command(
        "delivery list",
        "messages in a state, the latest first; without --status those of which nobody knows",
        "GET",
        "/api/deliveries",
        (
            option("--status", "scheduled, queued, sending, unknown, failed or cancelled"),
            option("--channel", "only of this channel"),
            option("--account", "only of this account"),
            *PAGE,
        ),
        rows("deliveries", *_COLUMNS, empty="No such deliveries."),
    ),
    Command("delivery show", "where one message is", "GET", "/api/deliveries/{delivery_id}", (_ONE,)),
    Command(
        "delivery cancel",
        "do not send a message that has not begun",
        "POST",
        "/api/deliveries/{delivery_id}/cancel",
        (_ONE,),
    ),
    Command(
        "delivery settle",
        "write down what became of an unknown message",
        "POST",
        "/api/deliveries/{delivery_id}/settle",
        (_ONE, word("outcome", "what somebody has seen in the messenger", choices=("sent", "not_sent"))),
    ),
    Command(
        "delivery resend",
        "send an unknown message anew",
        "POST",
        "/api/deliveries/{delivery_id}/resend",
        (_ONE, YES),
        run=_asked_first,
    ),
)
