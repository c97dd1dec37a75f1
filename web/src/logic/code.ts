/** A request as people would make it in a shell. */

export interface Call {
  /** What it does. */
  what: string;
  method?: "GET" | "POST" | "PUT" | "DELETE";
  /** Below /api/v1/. */
  path: string;
  body?: unknown;
  /** The same by the command line, where that has it. */
  cli?: string;
}

/** A word of a shell command. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export function curl({ method = "GET", path, body }: Call, origin: string = location.origin): string {
  const words = ['curl --cacert ca.pem -H "Authorization: Bearer $TOKEN"'];
  if (method !== "GET") words.push(`-X ${method}`);
  if (body !== undefined) words.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  words.push(quoted(`${origin}/api/v1/${path}`));
  return words.join(" \\\n  ");
}
