/** An answer that somebody writes in one conversation; a key for each message that was meant. */
class Draft {
  text = "";
  busy = false;
  uncertain = false;
  outcome = "";
  lease = null;
  /** What the hub wants to hear back with the same words before it sends them; "": nothing. */
  yes = "";
  #key = "";
  #meant = "";

  /** The same as long as the words are the same. */
  get key() {
    if (this.#meant !== this.text) [this.#key, this.#meant] = [newKey(), this.text];
    return this.#key;
  }

  /** What comes next is another message, also with the same words. */
  over() {
    this.#meant = this.#key = "";
    this.uncertain = false;
    this.lease = null;
    this.yes = "";
  }

  /** Give the turn back that was taken for these words; where that fails, its time ends by itself. */
  async giveBack(host) {
    const lease = this.lease;
    this.lease = null;
    if (lease) await host.call("release_turn", lease).catch(() => {});
  }
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `inbox-${[...bytes].map((one) => one.toString(16).padStart(2, "0")).join("")}`;
}

/** Say it: as a person beside the AI, or as the AI in the turn that waits. Throws Refused or NoAnswer. */
async function say(host, you, line, draft) {
  const chat = { channel: line.channel, account: line.account, chat_id: line.chat_id };
  const yes = draft.yes ? { confirm_token: draft.yes } : {};
  const letter = { ...chat, text: draft.text, idempotency_key: draft.key, ...yes };
  if (you.speaks_as === "operator") return host.call("send_message", { ...letter, sender: "operator" });
  if (!line.turn_id && !draft.lease) return host.call("send_message", letter);
  draft.lease ??= await leaseOf(host, line.turn_id);
  const answer = await host.call("reply", { ...draft.lease, text: draft.text });
  return replied(answer, draft);
}

async function leaseOf(host, turn) {
  const taken = await host.call("wait_for_turn", { turn_id: turn, wait_seconds: 0 });
  if (taken.status !== "turn") throw new Refused(t("taken"));
  return { turn_id: taken.turn_id, lease_token: taken.lease_token };
}

function replied(answer, draft) {
  switch (answer.status) {
    case "queued":
      return answer;
    case "superseded":
      draft.lease = { ...draft.lease, lease_token: answer.lease_token };
      throw new Refused(t("superseded"));
    case "already_answered":
      if (!answer.next_step.startsWith("Conflict")) return answer;
      draft.lease = null;
      throw new Refused(t("answered"));
    case "stale_lease":
      draft.lease = null;
      throw new Refused(t("stale"));
    default:
      draft.lease = null;
      throw new Refused(t("conversation_paused"));
  }
}
