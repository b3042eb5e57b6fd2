const PROTOCOL = "2026-01-26";
const PATIENCE = 60_000;

/** The hub said no, in words for people; nothing was done. */
class Refused extends Error {}
/** The hub waits for a yes: the same again with the token. */
class NeedsYes extends Refused {
  constructor(token) {
    super("");
    this.token = token;
  }
}
/** No answer came: nobody knows whether anything was done. */
class NoAnswer extends Error {}

/** The program that shows this view: JSON-RPC over postMessage, as MCP Apps says. */
class Host {
  #waiting = new Map();
  #heard = new Map();
  #number = 0;
  context = {};
  capabilities = {};

  constructor() {
    window.addEventListener("message", (event) => {
      if (event.source === window.parent && event.data?.jsonrpc === "2.0") this.#take(event.data);
    });
  }

  /** Notifications and requests of the host; what a request's `heed` returns is the answer. */
  on(method, heed) {
    this.#heard.set(method, heed);
  }

  async open() {
    const answer = await this.request("ui/initialize", {
      protocolVersion: PROTOCOL,
      appInfo: { name: "eldoleado-inbox", version: "1.0.0" },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
    });
    this.context = answer.hostContext ?? {};
    this.capabilities = answer.hostCapabilities ?? {};
    this.notify("ui/notifications/initialized", {});
  }

  notify(method, params) {
    this.#say({ method, params });
  }

  request(method, params, patience = PATIENCE) {
    const id = ++this.#number;
    return new Promise((resolve, reject) => {
      const ends = setTimeout(() => this.#settle(id, { error: { message: method } }), patience);
      this.#waiting.set(id, { resolve, reject, ends });
      this.#say({ id, method, params });
    });
  }

  /** The structured answer of a tool of the hub. */
  async call(name, given) {
    const answer = await this.request("tools/call", { name, arguments: given });
    return facts(answer);
  }

  #say(message) {
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  #take(message) {
    if (message.method === undefined) return this.#settle(message.id, message);
    const heed = this.#heard.get(message.method);
    if (message.id === undefined) return void heed?.(message.params ?? {});
    if (!heed) return this.#say({ id: message.id, error: { code: -32601, message: "Method not found" } });
    this.#say({ id: message.id, result: heed(message.params ?? {}) ?? {} });
  }

  #settle(id, { result, error }) {
    const asked = this.#waiting.get(id);
    if (!asked) return;
    this.#waiting.delete(id);
    clearTimeout(asked.ends);
    if (error) asked.reject(new NoAnswer(error.message));
    else asked.resolve(result);
  }
}

/** What a tool's result says; the text has the same facts as the structure, which some hosts drop. */
function facts(result) {
  const text = (result.content ?? []).map((part) => part.text ?? "").join("\n");
  if (result.isError) throw refusal(text);
  return result.structuredContent ?? JSON.parse(text);
}

function refusal(text) {
  if (text.startsWith("Error executing tool")) return new NoAnswer(text);
  const code = text.split(":", 1)[0];
  const [token] = (code === "confirmation_required" && text.match(/\d+\.[0-9a-f]{16}\.[\w-]{43}/)) || [];
  if (token) return new NeedsYes(token);
  return new Refused(known(code) ? t(code) : t("refused", { words: text }));
}
