/**
 * Who looks. The browser's session cookie does, where the daemon has one; else a token, which is kept for this tab only. A request
 * that is refused because nobody is signed in waits until somebody is, and is then made again: nothing that was typed is lost.
 */

/** What `GET /api/v1/me` says. A daemon that does not know it yet is asked as whoever the token is. */
export interface Me {
  name: string;
  role?: Role;
}

export type Role = "viewer" | "operator" | "editor" | "admin";

const KEY = "pilotlight.token";
const RANKS: readonly Role[] = ["viewer", "operator", "editor", "admin"];

type State = "unknown" | "in" | "out";

let token = sessionStorage.getItem(KEY);
let state: State = "unknown";
let me: Me | undefined;
/** Whether the daemon knows sessions by cookie. One that does not asks for a password by itself where it may see cookies. */
let cookies = true;
let waiting: (() => void)[] = [];
const listeners = new Set<() => void>();

const tell = (next: State) => {
  state = next;
  listeners.forEach((listener) => listener());
};

export const session = {
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  state: (): State => state,
  me: (): Me | undefined => me,
};

/** Whether who looks may do what takes this role. Where it is not known who looks, the API says so when asked. */
export function may(role: Role, who: Me | undefined = me): boolean {
  return who?.role === undefined || RANKS.indexOf(who.role) >= RANKS.indexOf(role);
}

function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  // Other sites' forms cannot set a header: with the cookie alone, none of them does anything.
  headers.set("x-requested-with", "pilotlight-web");
  return fetch(path, { ...init, headers, credentials: cookies ? "same-origin" : "omit", cache: "no-store" });
}

/** As `fetch`, as whoever is signed in. It waits for a sign-in where one is needed. */
export async function authorized(request: Request): Promise<Response> {
  const { method, headers, signal, url } = request;
  // As a text: a copied body would be a stream of unknown length, which HTTP/1.1 has no way to send.
  const body = method === "GET" || method === "HEAD" ? {} : { body: await request.text() };
  for (;;) {
    const response = await send(url, { method, headers, signal, ...body });
    if (response.status !== 401) return response;
    await signedIn();
  }
}

/** Asks for a sign-in, and waits for it. */
function signedIn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    tell("out");
  });
}

/** Looks who is signed in, with this token if there is one. Says what is wrong with it otherwise. */
export async function signIn(given?: string): Promise<string | undefined> {
  const before = token;
  if (given !== undefined) token = given;
  const found = await whoAmI();
  if (typeof found === "string") {
    token = before;
    tell("out");
    return found;
  }
  if (given !== undefined) sessionStorage.setItem(KEY, given);
  me = found;
  const resumed = waiting;
  waiting = [];
  tell("in");
  resumed.forEach((resume) => resume());
  return undefined;
}

async function whoAmI(): Promise<Me | string> {
  const answer = await send("/api/v1/me");
  if (answer.ok) {
    const body = (await answer.json()) as Partial<Me>;
    return { name: body.name ?? "?", ...(isRole(body.role) ? { role: body.role } : {}) };
  }
  if (answer.status === 404) {
    cookies = false;
    const probe = await send("/api/v1/events?limit=1");
    if (probe.ok || probe.status === 403) return { name: "token" };
    return detail(probe);
  }
  return detail(answer);
}

async function detail(answer: Response): Promise<string> {
  const body = (await answer.json().catch(() => ({}))) as { detail?: string };
  return body.detail ?? `the daemon answered ${answer.status}`;
}

const isRole = (role: unknown): role is Role => RANKS.some((known) => known === role);

/** Forgets the token, and ends the browser's session where there is one. */
export async function signOut(): Promise<void> {
  sessionStorage.removeItem(KEY);
  token = null;
  me = undefined;
  await fetch("/sign-out", { method: "POST", headers: { "x-requested-with": "pilotlight-web" } }).catch(
    () => undefined,
  );
  location.assign("/");
}

/** Whether this daemon has a page to sign in on. */
export async function hasSignInPage(): Promise<boolean> {
  const answer = await fetch("/sign-in", { headers: { accept: "text/html" } }).catch(() => undefined);
  return answer?.ok === true && (answer.headers.get("content-type") ?? "").startsWith("text/html");
}
