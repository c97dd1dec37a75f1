/** The API's client, made from its document: docs/openapi.json. */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";
import { authorized } from "./session";

type Schemas = components["schemas"];
export type Machine = Schemas["Machine"];
export type Boot = Schemas["Boot"];
export type Diagnosis = Schemas["Diagnosis"];
export type PhaseRecord = Schemas["PhaseRecord"];
export type Phase = Schemas["Phase"];
export type Event = Schemas["Event"];
export type Plan = Schemas["Plan"];
export type BootChange = Schemas["BootChange"];
export type Mistake = Schemas["Mistake"];
export type Problem = Schemas["Problem"];
export type Facts = Schemas["Facts"];
export type Explanation = Schemas["Explanation"];
// `power` has a body of its own, and no button yet.
export type MachineAction = Exclude<Schemas["MachineAction"], "power">;
export type MachinesAnswer = Schemas["MachinesAnswer"];
export type Revision = Schemas["Revision"];
export type Subnet = Schemas["Subnet"];
export type Profile = Schemas["Profile"];
export type Group = Schemas["Group"];
export type Image = Schemas["Image"];
export type PacketExplanation = Schemas["PacketExplanation"];
export type AuditEntry = Schemas["AuditEntry"];
export type Token = Schemas["Token"];
export type Kind = Schemas["Kind"];
export type Lease = Schemas["Lease"];
export type LeaseState = Schemas["LeaseState"];
export type SubnetUse = Schemas["SubnetUse"];
export type MachineGroup = Schemas["MachineGroup"];
export type GroupMachine = Schemas["GroupMachine"];
export type Rendered = Schemas["Rendered"];
export type ConfigValue = Schemas["ConfigValue"];
export type Webhook = Schemas["Webhook"];
export type WebhookStatus = Schemas["WebhookStatus"];
export type Delivery = Schemas["Delivery"];
export type DeliveryState = Schemas["DeliveryState"];
export type Attempt = Schemas["Attempt"];
export type Scope = Schemas["Scope"];
export type User = Schemas["User"];
export type Role = Schemas["Role"];
export type RoleRule = Schemas["RoleRule"];
export type Operation = Schemas["Operation"];
export type Daemon = Schemas["Daemon"];
export type Task = Schemas["Task"];
export type Findings = Schemas["Findings"];
export type Inbox = Schemas["Inbox"];
export type InboxRow = Schemas["InboxRow"];
export type InboxState = Schemas["InboxState"];
export type FirmwareRow = Schemas["Firmware"];
/** A document as `plan` and `apply` take it. */
export interface Document {
  kind: Kind;
  name: string;
  labels?: Record<string, string>;
  spec: unknown;
}

/** The kinds that have lists, revisions and an editor here. */
export type Plural = "profiles" | "groups" | "images" | "subnets" | "webhooks";
export type Resource = Profile | Group | Image | Subnet | Webhook;

export const client = createClient<paths>({ baseUrl: location.origin, fetch: authorized });

/** What the API refused, in its own words. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "Refused";
  }
}

/** The data of an answer, or the refusal as an error. */
export async function data<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data: got, error, response } = await call;
  if (response.ok) return got as T;
  throw new Refused(problemOf(error, response));
}

/** A refusal that is no problem document comes from something else than this API, or from another version of it. */
export function problemOf(error: unknown, response: Response): Problem {
  if (typeof error === "object" && error !== null && "code" in error && "detail" in error) return error as Problem;
  return {
    status: response.status,
    code: "not-the-api",
    title: "That is not the API that this page knows",
    detail:
      `${new URL(response.url || location.href).pathname} answered ${response.status} in another way than this version of the page ` +
      "expects. The daemon may have been updated: reload the page.",
  };
}

/** A page of a list. */
export interface List<T> {
  items: T[];
  next?: string | null;
}

/**
 * What is at a path whose answer the generated client cannot tell: that of a kind which is known only when it runs (the document has a
 * path for each), or of a list that may be a stream as well.
 */
export async function getOf<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await authorized(
    new Request(new URL(`/api/v1/${path}`, location.origin), signal === undefined ? {} : { signal }),
  );
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body as T;
  throw new Refused(problemOf(body, response));
}

/** The same for what sends something. */
export async function sendTo<T>(
  method: "PUT" | "POST" | "DELETE",
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  const init: RequestInit = { method, headers: { "content-type": "application/json", ...headers } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await authorized(new Request(new URL(`/api/v1/${path}`, location.origin), init));
  const text = await response.text();
  let answer: unknown;
  try {
    answer = text === "" ? {} : JSON.parse(text);
  } catch {
    answer = undefined;
  }
  if (response.ok && answer !== undefined) return answer as T;
  throw new Refused(problemOf(answer, response));
}
