// What every program here needs: logins, hub connections as the venue's documents build them, and a wait for a fact.
import { createRequire } from "node:module";

export const signalR = createRequire(import.meta.url)("@microsoft/signalr"); // NODE_PATH names its folder
export const where = JSON.parse(process.argv[2]);
export const args = process.argv.slice(3);
const GIVE_UP_MS = 60_000;
const NEW_CONNECTION = { Connection: "close" }; // the simulator closes one that was idle for 130 s, perhaps at that moment

export async function post(path, body, token) {
  const authorization = token && { Authorization: `Bearer ${token}` };
  const headers = { "Content-Type": "application/json", ...NEW_CONNECTION, ...authorization };
  const answer = await fetch(`${where.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export async function control(method, path, body) {
  const answer = await fetch(`${where.control}/${path}`, { method, headers: NEW_CONNECTION, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export async function logIn() {
  return (await post("/api/Auth/loginKey", { userName: where.user, apiKey: where.key })).token;
}

// `isNegotiated`: as the client does by default; otherwise as the venue's documents say.
export function build(hub, token, isNegotiated = false) {
  const options = isNegotiated
    ? { accessTokenFactory: () => token }
    : {
        skipNegotiation: true,
        transport: signalR.HttpTransportType.WebSockets,
        accessTokenFactory: () => token,
        timeout: 10000,
      };
  const url = `${where.url}/hubs/${hub}${isNegotiated ? "" : `?access_token=${token}`}`;
  return new signalR.HubConnectionBuilder()
    .withUrl(url, options)
    .configureLogging(signalR.LogLevel.None)
    .withAutomaticReconnect(Array(30).fill(500))
    .build();
}

export async function until(isMet, what) {
  const end = Date.now() + GIVE_UP_MS;
  for (;;) {
    const result = await isMet();
    if (result) return result;
    if (Date.now() > end) {
      console.error(`timed out waiting for ${what}`);
      process.exit(1);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function findIds(token) {
  const { accounts } = await post("/api/Account/search", { onlyActiveAccounts: true }, token);
  const { contracts } = await post("/api/Contract/search", { searchText: "MNQ", live: false }, token);
  return { account: accounts[0].id, contract: contracts.find((row) => row.id.includes(".MNQ.")).id };
}
