// Every event of both hubs, with and without negotiation: one market order, and some seconds of quotes, trades and depth.
import { args, build, findIds, logIn, post, until } from "./hub.mjs";

const TARGETS = {
  user: ["GatewayUserAccount", "GatewayUserOrder", "GatewayUserPosition", "GatewayUserTrade"],
  market: ["GatewayQuote", "GatewayTrade", "GatewayDepth"],
};
const isNegotiated = args[0] === "negotiated";
const token = await logIn();
const { account, contract } = await findIds(token);
const seen = {};
const hubs = {};
for (const [name, targets] of Object.entries(TARGETS)) {
  const hub = (hubs[name] = build(name, token, isNegotiated));
  for (const target of targets) {
    seen[target] = [];
    hub.on(target, (...values) => seen[target].push(values));
  }
  await hub.start();
}
await hubs.user.invoke("SubscribeAccounts");
for (const topic of ["Orders", "Positions", "Trades"]) await hubs.user.invoke(`Subscribe${topic}`, account);
for (const topic of ["Quotes", "Trades", "MarketDepth"]) await hubs.market.invoke(`SubscribeContract${topic}`, contract);
const refused = await hubs.market.invoke("SubscribeContractDepth", contract).then(
  () => null,
  (error) => error.message,
);
await post("/api/Order/place", { accountId: account, contractId: contract, type: 2, side: 0, size: 1 }, token);
await until(() => Object.values(seen).every((events) => events.length > 0), "an event of each kind");
await until(() => seen.GatewayQuote.length >= 20, "20 quotes");
for (const topic of ["Quotes", "Trades", "MarketDepth"]) {
  await hubs.market.invoke(`UnsubscribeContract${topic}`, contract);
}
await hubs.user.stop();
await hubs.market.stop();
const items = (events) => events.flatMap(([, payload]) => payload).filter((item) => item);
console.log(
  JSON.stringify({
    account,
    contract,
    refused,
    counts: Object.fromEntries(Object.entries(seen).map(([target, events]) => [target, events.length])),
    user: Object.fromEntries(TARGETS.user.map((target) => [target, seen[target].map(([event]) => event)])),
    quotes: seen.GatewayQuote.map(([, quote]) => quote),
    trades: items(seen.GatewayTrade),
    depthTypes: [...new Set(items(seen.GatewayDepth).map((item) => item.type))].sort((a, b) => a - b),
  }),
);
