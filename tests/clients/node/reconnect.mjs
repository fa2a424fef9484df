// Both hubs before and after a fault, with automatic reconnect: argument 1 is the fault, argument 2 `negotiated` or `direct`.
// A connection that the client gives up is started again, as an application would.
import { args, build, control, findIds, logIn, post, signalR, until } from "./hub.mjs";

const fault = JSON.parse(args[0]);
const token = await logIn();
const { account, contract } = await findIds(token);
const seen = { orders: 0, quotes: 0, logouts: 0 };
const states = { user: [], market: [] };
const subscriptions = {
  user: (hub) => hub.invoke("SubscribeOrders", account),
  market: (hub) => hub.invoke("SubscribeContractQuotes", contract),
};
const hubs = {};
for (const name of ["user", "market"]) {
  const hub = (hubs[name] = build(name, token, args[1] === "negotiated"));
  hub.on("GatewayUserOrder", () => (seen.orders += 1));
  hub.on("GatewayQuote", () => (seen.quotes += 1));
  hub.on("GatewayLogout", () => (seen.logouts += 1));
  hub.onreconnecting((error) => states[name].push(["reconnecting", error?.message ?? null]));
  hub.onreconnected(async () => {
    await subscriptions[name](hub);
    states[name].push(["reconnected", null]);
  });
  hub.onclose((error) => states[name].push(["closed", error?.message ?? null]));
  await hub.start();
  await subscriptions[name](hub);
}
await waitForEvents();
await control("POST", "faults", fault);
await until(async () => (await control("GET", "faults")).every((armed) => armed.left === 0), "the fault");
const isOver = ([state]) => state === "reconnected" || state === "closed";
// A fault of one client hits either.
const count = fault.kind === "hub_gap" ? 2 : fault.count;
await until(() => Object.values(states).filter((list) => list.some(isOver)).length >= count, "the connection");
const found = structuredClone(states);
for (const [name, hub] of Object.entries(hubs)) {
  if (hub.state === signalR.HubConnectionState.Disconnected) {
    await hub.start();
    await subscriptions[name](hub);
  }
}
await waitForEvents();
console.log(JSON.stringify({ logouts: seen.logouts, states: found }));
await hubs.user.stop();
await hubs.market.stop();

async function waitForEvents() {
  const { orders, quotes } = seen;
  await place();
  await until(() => seen.orders >= orders + 2 && seen.quotes > quotes + 10, "events of both hubs");
}

async function place() {
  const order = { accountId: account, contractId: contract, type: 1, side: 0, size: 1, limitPrice: 15000 };
  await post("/api/Order/place", order, token);
}
