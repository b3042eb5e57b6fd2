// Walks through a server with a client of the TypeScript SDK: node walk.mjs <folder of the packages> <plan as JSON>.
// The plan and the answer, one line of JSON, are described in tests/conformance/walks.py.
import { createRequire } from "node:module";

const [folder, text] = process.argv.slice(2);
const plan = JSON.parse(text);
const require = createRequire(`${folder}/`);

const second = plan.package === "@modelcontextprotocol/client"; // the second major version is one package
const from = (file) => require(second ? plan.package : `${plan.package}/${file}`);
const { Client } = from("client/index.js");
const { StreamableHTTPClientTransport } = from("client/streamableHttp.js");
const { StdioClientTransport } = require(second ? `${plan.package}/stdio` : `${plan.package}/client/stdio.js`);

const options = { capabilities: plan.ask ? { elicitation: {} } : {} };
if (second) options.versionNegotiation = { mode: plan.age };
const client = new Client({ name: "walk", version: "1" }, options);
if (plan.ask) {
  client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: plan.ask.answer }));
}

function transport() {
  if (plan.command) {
    const [command, ...args] = plan.command;
    return new StdioClientTransport({ command, args, env: plan.env, stderr: "ignore" });
  }
  const requestInit = { headers: { Authorization: `Bearer ${plan.key}` } };
  return new StreamableHTTPClientTransport(new URL(plan.url), { requestInit });
}

function words(result) {
  return result.content.map((part) => part.text ?? "").join("");
}

function call(one) {
  return client.callTool({ name: one.tool, arguments: one.arguments ?? {} });
}

function updates() {
  const method = second ? "notifications/resources/updated" : from("types.js").ResourceUpdatedNotificationSchema;
  return new Promise((told) => client.setNotificationHandler(method, (changed) => told(changed.params.uri)));
}

async function happen(steps) {
  let kept = {};
  for (const { tool, arguments: given, keeps = [] } of steps) {
    const { structuredContent } = await call({ tool, arguments: { ...given, ...kept } });
    kept = Object.fromEntries(keeps.map((name) => [name, structuredContent[name]]));
  }
}

async function hear({ uri, trigger }) {
  const heard = updates();
  const subscription = await client.listen({ resourceSubscriptions: [uri] });
  await happen(trigger);
  const found = await heard;
  await subscription.close();
  return { heard: found, closed: await subscription.closed };
}

async function watch({ uri, trigger }) {
  const heard = updates();
  await client.subscribeResource({ uri });
  await happen(trigger);
  const found = await heard;
  await client.unsubscribeResource({ uri });
  return { heard: found };
}

// Older clients tell their transport alone which version was agreed on.
function noting(made) {
  const { setProtocolVersion } = made;
  made.setProtocolVersion = (version) => {
    made.noted = version;
    setProtocolVersion?.call(made, version);
  };
  return made;
}

async function refusal(read) {
  try {
    await read();
    return "";
  } catch (error) {
    return error.message;
  }
}

const used = noting(transport());
await client.connect(used);
const found = {
  version: client.getNegotiatedProtocolVersion?.() ?? used.noted,
  server: client.getServerVersion().name,
  instructions: client.getInstructions() ?? "",
  tools: (await client.listTools()).tools.map((tool) => tool.name),
  call: (await call(plan.call)).structuredContent,
  error: await call(plan.error).then((result) => ({
    failed: result.isError,
    text: words(result),
    beside: result._meta,
  })),
  resource: (await client.readResource({ uri: plan.resource })).contents[0].text,
  missing: await refusal(() => client.readResource({ uri: plan.missing })),
  templates: (await client.listResourceTemplates()).resourceTemplates.map((one) => one.uriTemplate),
  template: (await client.readResource({ uri: plan.template })).contents[0].text,
  prompts: (await client.listPrompts()).prompts.map((prompt) => prompt.name),
  prompt: (await client.getPrompt(plan.prompt)).messages[0].content.text,
  completion: (await client.complete(plan.complete)).completion.values,
};
if (plan.ask) found.asked = words(await call(plan.ask));
if (plan.listen) Object.assign(found, await hear(plan.listen));
if (plan.subscribe) Object.assign(found, await watch(plan.subscribe));
await client.close();
console.log(JSON.stringify(found));
