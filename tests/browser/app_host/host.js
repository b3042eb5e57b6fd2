// The host's side of MCP Apps 2026-01-26 as the specification says it: a sandbox of another origin, a policy made
// of what the resource declares, and a bridge. What goes to the hub goes through `hub`, a real MCP client.
const INSIDE = { theme: "light", locale: "en-GB", displayMode: "inline", timeZone: "UTC" };
window.traffic = [];
window.opened = [];
let frame;
let context;
let ready = false;

function say(message) {
  traffic.push({ to: "view", message });
  frame.contentWindow.postMessage(message, "*");
}

const notify = (method, params) => say({ jsonrpc: "2.0", method, params });

function policyOf(csp) {
  const domains = (kind, otherwise) => (csp?.[kind]?.length ? csp[kind].join(" ") : otherwise);
  const more = domains("resourceDomains", "");
  return [
    "default-src 'none'",
    `script-src 'self' 'unsafe-inline' ${more}`,
    `style-src 'self' 'unsafe-inline' ${more}`,
    `connect-src 'self' ${domains("connectDomains", "")}`,
    `img-src 'self' data: ${more}`,
    `font-src 'self' ${more}`,
    `media-src 'self' data: ${more}`,
    `frame-src ${domains("frameDomains", "'none'")}`,
    "object-src 'none'",
    `base-uri ${domains("baseUriDomains", "'self'")}`,
  ].join("; ");
}

async function answer({ id, method, params }) {
  try {
    say({ jsonrpc: "2.0", id, result: await serve(method, params) });
  } catch (error) {
    say({ jsonrpc: "2.0", id, error: { code: error.code ?? -32000, message: error.message } });
  }
}

async function serve(method, params) {
  switch (method) {
    case "ui/initialize":
      return {
        protocolVersion: "2026-01-26",
        hostInfo: { name: "test-host", version: "1.0.0" },
        hostCapabilities: { openLinks: {}, serverTools: {}, logging: {} },
        hostContext: context,
      };
    case "tools/call": {
      const tool = (await hub("tools")).find((one) => one.name === params.name);
      const visibility = tool?._meta?.ui?.visibility ?? ["model", "app"];
      if (!tool || !visibility.includes("app")) throw Object.assign(new Error("not for apps"), { code: -32602 });
      return await hub("call", params.name, params.arguments ?? {});
    }
    case "ui/open-link":
      opened.push(params.url);
      return {};
    case "ui/request-display-mode":
      return { mode: params.mode };
    case "ping":
      return {};
    default:
      throw Object.assign(new Error("Method not found"), { code: -32601 });
  }
}

/** Call the tool that opens a view, and show the view with its answer. */
async function show(tool, given, more = {}) {
  const shown = (await hub("tools")).find((one) => one.name === tool);
  const { html, csp } = await hub("page", shown._meta.ui.resourceUri);
  const result = await hub("call", tool, given);
  context = { ...INSIDE, ...more, toolInfo: { tool: shown } };
  const policy = encodeURIComponent(policyOf(csp));
  frame = Object.assign(document.createElement("iframe"), { title: "The view", src: `${SANDBOX}/proxy.html?csp=${policy}` });
  frame.setAttribute("sandbox", "allow-scripts allow-same-origin");
  window.addEventListener("message", ({ source, data: message }) => {
    if (source !== frame.contentWindow) return;
    if (message.method === "ui/notifications/sandbox-proxy-ready") {
      return frame.contentWindow.postMessage(
        { jsonrpc: "2.0", method: "ui/notifications/sandbox-resource-ready", params: { html, csp } }, "*");
    }
    traffic.push({ to: "host", message });
    if (message.id !== undefined && message.method) return answer(message);
    if (message.method === "ui/notifications/initialized") {
      ready = true;
      notify("ui/notifications/tool-input", { arguments: given });
      notify("ui/notifications/tool-result", result);
    }
    if (message.method === "ui/notifications/size-changed") frame.dataset.height = message.params.height;
  });
  document.querySelector("main").replaceChildren(frame);
}

const change = (changed) => notify("ui/notifications/host-context-changed", changed);
const leave = () => say({ jsonrpc: "2.0", id: 4711, method: "ui/resource-teardown", params: {} });
