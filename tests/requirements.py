"""What the product promises, each with an id. Tests name the promise they show: `@pytest.mark.promise("…")`.

tests/unit/test_requirements.py fails when a promise has no test, or a test names a promise that is not here.
"""

PROMISES: dict[str, str] = {
    "one-turn": "A burst of messages becomes one turn after the silence, and is answered once.",
    "complete": "A text with a photo and a voice note reaches the agent complete, with links that open.",
    "split": "A long reply arrives in order, in parts the channel accepts, cut at sentence ends.",
    "repeat": "A webhook repeated any number of times is one message.",
    "stored": "A webhook answered 200 is stored, also while Redis is away.",
    "no-loss-orchestrator": "kill -9 of the orchestrator loses no message and answers none twice.",
    "no-loss-engines": "kill -9 of Redis and PostgreSQL loses no message and answers none twice.",
    "no-loss-channel": "kill -9 of a channel while it sends loses no reply and sends none twice.",
    "one-reply": "A turn has at most one committed reply, also when the call is repeated.",
    "fresh-reply": "A reply that has not seen the customer's newest message is refused with that message.",
    "unknown": "When nobody can tell whether a reply arrived, it is looked up before it is sent again.",
    "pause-doors": "While a person has a conversation, no door lets the AI write there; a person may.",
    "echo": "Our own echo is no message; an operator's hand-typed words are history.",
    "order": "Messages of a chat keep their order, in and out.",
    "bound": "No chat waits longer than the longest wait while a worker lives.",
    "no-mixing": "Accounts, chats and clients never mix.",
    "closed": "No route opens without its key, and a wrong key learns nothing.",
    "no-secrets": "No secret stands in a log line, an error or a status.",
    "bad-input": "Bad input at any door gets a clear answer, and what was readable is kept.",
    "vendor-errors": "A vendor's failure reaches the caller as what it means, with what to do.",
    "form": "A form opens an appeal of the client with that phone.",
    "form-reply": "A reply to a form goes where the client can be reached, or is refused with the reason.",
    "channels": "What a customer of any messenger sends comes back answered.",
    "one-contract": "Every channel passes the same questions, each at its vendor's own limits and refusals.",
    "wild-bodies": "Whatever a vendor sends is read or kept with a reason: never an exception, never a loss.",
    "faithful": "Public SDKs of the vendors work with our simulators as they do with the real services.",
    "foreign": "A producer that knows the first contract only keeps working.",
    "truth": "The documented Redis keys and SELECTs tell the truth.",
    "mcp": "Clients of both protocol ages work over HTTP, and a channel works over stdio.",
    "watch": "A lost subscription or session is told everywhere, and mended where that takes from nobody.",
    "sweep": "What a silent webhook lost is taken in from the vendor's history, once.",
    "settings": "Bad configuration stops the start with the full list of what is wrong.",
}
