/** What the overview, the boards and the machines' pages say beside what machines.ts and pages.ts have. */
import { common } from "./common";

export const site = {
  reading: "the numbers of the site",
  of: (name: string, version: string) => `Site ${name} · Pilotlight ${version}`,
  overdue: "overdue",
  overdueHint: (patience: string) => `Nothing was seen of them for more than half of ${patience}`,
  booted: "boots in the last hour",
  free: "addresses free",
  foreign: "other DHCP servers",
  subnets: "Subnets",
  subnet: "Subnet",
  addresses: "Free",
  addressesOf: (free: number, all: number) => `${free.toLocaleString("en")} of ${all.toLocaleString("en")}`,
  none: "none",
  load: "Loading",
  loadOf: (loading: number, most: number | null | undefined) => (most == null ? `${loading}` : `${loading} of ${most}`),
  queue: "Waiting",
  queueMore: (offers: number) => `and ${common.count(offers, "offer", "offers")} held back`,
  link: "Link",
  linkOf: (sent: string, link: string) => `${sent} of ${link}`,
  noSubnets: "There is no subnet yet: nobody gets an answer.",
  toSubnets: "Subnets",
  storm: "Boot storm",
  stormOf: (loading: number, waiting: number) =>
    `${loading.toLocaleString("en")} ${loading === 1 ? "loads" : "load"} an image, ${waiting.toLocaleString("en")} ${waiting === 1 ? "waits" : "wait"} for a turn`,
  calm: "Nobody waits.",
  bySite: "Sites",
  siteLabel: "By the label `site` of the machines",
  foreignServer: (server: string, subnet: string) =>
    `Another DHCP server, ${server}, gives addresses on subnet ${subnet}, which is ours`,
  more: (n: number) => `and ${n.toLocaleString("en")} more`,
  notSeen: "You may not see the site's numbers",
  power: "Power is not known yet of any machine: nothing here has a BMC.",
  failedAll: "All boots that failed",
} as const;

export const board = {
  show: { board: "Now booting", late: "Overdue", ended: "Ended", failed: "Failed" },
  deadline: "Until it fails",
  deadlineOf: (left: string, silent: string) => `silent for ${silent}; it has failed in ${left}`,
  queue: "Place",
  queued: (place: number) => `${place}.`,
  queueHint: (place: number) =>
    place === 1 ? "It loads next" : `${common.count(place - 1, "machine loads", "machines load")} before it`,
  noneLate: "No boot is overdue",
  noneLateHint: "A boot is overdue when nothing was seen of it for half of `boot.patience`.",
  noneFailed: "No boot has failed",
  noneFailedHint: "Boots that fall silent fail, and say why.",
  find: "Find",
  findHint: "Name or address",
  shown: (n: number, all: number) =>
    n === all
      ? `${n.toLocaleString("en")} booting`
      : `${n.toLocaleString("en")} of ${all.toLocaleString("en")} booting`,
} as const;

export const views = {
  button: "Views",
  none: "None is saved yet. A view is the search, the selector, the columns and their order.",
  save: "Save this view",
  title: "Save this view",
  name: "Name",
  nameHint: "It is kept in this browser. Its address is a link that anybody can open.",
  taken: "There is one of that name: it is replaced.",
  remove: (name: string) => `Forget ${name}`,
  open: (name: string) => `View: ${name}`,
} as const;

export const rights = {
  not: (role: string, verb: string) => `The role ${role} does not allow you to ${verb} this.`,
  scope: (verb: string) => `Your token is not good for that: its scope leaves out \`${verb}\` here.`,
  some: (n: number) => `Of ${common.machines(n)} you may do that to none.`,
} as const;

export const boot = {
  class: "Compared with",
  by: { profile: "its profile", model: "its model" },
  none: (by: string) => `There is no other machine with ${by} whose newest boot became active.`,
  noClass: { profile: "It has no profile to compare by.", model: "It has not told its model yet." },
  compared: (n: number, cls: string, took: string) =>
    `Half of ${common.count(n, "boot", "boots")} of ${cls} took at most ${took}.`,
  median: "the median of its class",
  own: "this boot",
  usually: (text: string) => `usually ${text}`,
  slower: (factor: string) => `${factor} times as long as usual`,
} as const;

export const timeline = {
  source: "Source",
  sources: { machine: "the machine", pilotlight: "Pilotlight", people: "people", console: "its console" } as Record<
    string,
    string
  >,
  anySource: "Any source",
  kind: "Kind",
  anyKind: "Any kind",
  link: (time: string) => `Link to ${time}`,
  linked: "You were led to this moment.",
  gone: "The moment that the link leads to is not among what is shown.",
  showAll: "Show everything",
  shown: (n: number, all: number) =>
    n === all
      ? common.count(all, "moment", "moments")
      : `${n.toLocaleString("en")} of ${common.count(all, "moment", "moments")}`,
  table: "Timeline, newest first",
  more: "Show older ones",
} as const;

export const interfaces = {
  picture: "Interfaces of the machine",
  up: "link up",
  down: "no link",
  unknown: "link not known",
  booted: "booted from it",
  none: "It has reported no interface.",
  one: (name: string, mac: string, link: string, speed: string, booted: boolean) =>
    `${name}, ${mac}, ${link}${speed === "" ? "" : `, ${speed}`}${booted ? ", booted from it" : ""}`,
  noSwitch: "Which switch port each is on is not known: the agent does not report LLDP yet.",
} as const;

export const disks = {
  picture: "Disks of the machine",
} as const;

export const gets = {
  dhcp: "DHCP",
  asks: { firmware: "Its firmware is told", ipxe: "Its iPXE is told" } as Record<string, string>,
  field: "Option",
  value: "Value",
  from: "From",
  kernel: "Kernel arguments",
  argument: "Argument",
  noKernel: "It gets no kernel arguments.",
  provenance: "Where the config's values are from",
  path: "Path",
  variable: (name: string, value: string, from: string) => `${name} = ${value} (${from})`,
  line: (line: number) => `line ${line}`,
  changed: "What differs from its newest boot",
  changedNone: "It would be told what it was told in its newest boot.",
  changedNever: "It has not booted yet: there is nothing to compare with.",
  drift: (from: number, to: number) => `What it runs, revision ${from}, against revision ${to}, which it is to run`,
  driftNone: (revision: number) => `It runs revision ${revision}, which it is to run.`,
  driftNever: "It does not run its profile yet.",
  size: (text: string) => `${text} as it is sent`,
} as const;

export const source = {
  language: "Language",
  download: "Download",
} as const;

export const palette = {
  action: (action: string, name: string) => `${action} ${name}`,
  view: "view",
  hint: "“hold n7” leads to the action",
} as const;

export const version = {
  other:
    "The daemon's API is of another version than this page was made for: what is shown may lack something. Reload the page.",
} as const;
