const segment = encodeURIComponent;

async function call(path, method = "GET", body) {
  const answer = await fetch(`/control/${path}`, {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(content.error ?? `${answer.status}`);
  return content;
}

export class Refusal extends Error {}

export const channels = () => call("channels");
export const customers = (channel) => call(`${segment(channel)}/customers`);
export const messages = (channel, customer) => call(`${segment(channel)}/customers/${segment(customer)}/messages`);
export const write = (channel, customer, letter) =>
  call(`${segment(channel)}/customers/${segment(customer)}/messages`, "POST", letter);
export const read = (channel, customer, chat) =>
  call(`${segment(channel)}/customers/${segment(customer)}/read?chat=${segment(chat)}`, "POST");
export const remove = (channel, id) => call(`${segment(channel)}/messages/${segment(id)}`, "DELETE");
export const operator = (channel, chat, text) => call(`${segment(channel)}/operator/messages`, "POST", { chat, text });
export const faults = (channel) => call(`${segment(channel)}/faults`);
export const setFaults = (channel, given) => call(`${segment(channel)}/faults`, "POST", given);
export const calm = (channel) => call(`${segment(channel)}/faults`, "DELETE");
export const deliveries = (channel) => call(`${segment(channel)}/deliveries?last=8`);
export const meet = (channel, name) => call(`${segment(channel)}/customers`, "POST", { name });
