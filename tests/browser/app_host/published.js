// The same host, made with what the authors of MCP Apps publish for hosts: it checks each message of the view.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

window.opened = [];

/** Call the tool that opens a view, and show the view with its answer. */
window.show = async (tool, given, more = {}) => {
  const shown = (await hub("tools")).find((one) => one.name === tool);
  const { html, csp } = await hub("page", shown._meta.ui.resourceUri);
  const result = await hub("call", tool, given);
  const hostContext = { theme: "light", locale: "en-GB", displayMode: "inline", timeZone: "UTC", ...more };
  const bridge = new AppBridge(null, { name: "published", version: "1.0.0" }, { openLinks: {}, serverTools: {} }, { hostContext });
  const frame = Object.assign(document.createElement("iframe"), { title: "The view", src: `${SANDBOX}/proxy.html` });
  frame.setAttribute("sandbox", "allow-scripts allow-same-origin");
  bridge.onsandboxready = () => bridge.sendSandboxResourceReady({ html, csp });
  bridge.oncalltool = ({ name, arguments: args }) => hub("call", name, args ?? {});
  bridge.onopenlink = async ({ url }) => (opened.push(url), {});
  bridge.oninitialized = async () => {
    await bridge.sendToolInput({ arguments: given });
    await bridge.sendToolResult(result);
  };
  document.querySelector("main").replaceChildren(frame);
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
};
