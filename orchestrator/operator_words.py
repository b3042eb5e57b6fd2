"""Pure: a batch in which an operator answered: what the customer wrote before that, and what after it."""

from dataclasses import replace

from orchestrator.batching import Batch, Item


def split_at_operator(batch: Batch) -> tuple[Batch, ...]:
    """The batch up to the operator's last word and from there on; whole when nothing asks after it.

    [hello, operator: hi, price?] -> [hello, operator: hi], [price?]: one was answered, one is to be.
    """
    places = [place for place, item in enumerate(batch.items) if _is_word(item)]
    if not places or not any(item.asks for item in batch.items[places[-1] :]):
        return (batch,)
    after = places[-1] + 1
    return (
        replace(batch, items=batch.items[:after], changes=()),
        replace(batch, items=batch.items[after:]),
    )


def _is_word(item: Item) -> bool:
    return item.message.event == "operator_message"
