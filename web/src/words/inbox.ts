/** What the inbox says. */
import { common } from "./common";

export const inbox = {
  title: "Inbox",
  reading: "the inbox",
  table: "What waits for somebody",
  show: "What is shown",
  all: "Everything",
  states: {
    discovered: "Discovered",
    unexpected: "Unexpected",
    missing: "Missing",
    duplicate: "Duplicate",
    held: "On hold",
    mismatch: "Not as its class",
  },
  hints: {
    discovered: "Seen, and nobody accepted it",
    unexpected: "Seen, and none of those that are expected",
    missing: "Expected, and not seen",
    duplicate: "It has the UUID, the serial number or a MAC of another machine",
    held: "When it boots, it waits",
    mismatch: "It is not as its hardware class",
  },
  tab: (label: string, n: number) => `${label} ${n.toLocaleString("en")}`,
  name: "Machine",
  state: "Why it is here",
  hardware: "Hardware",
  place: "Place",
  since: "Since",
  becomes: "Accepted as",
  armed: (name: string, profile: string) => `${name}, armed for ${profile}`,
  why: "What is known",
  cores: (n: number) => common.count(n, "core", "cores"),
  disks: (n: number) => common.count(n, "disk", "disks"),
  unit: (rack: string, unit: number) => `${rack} u${unit}`,
  until: "until",
  shown: (n: number, all: number) =>
    n === all ? `${n.toLocaleString("en")} shown` : `${n.toLocaleString("en")} of ${all.toLocaleString("en")} shown`,
  selectRow: (name: string) => `Select ${name}`,
  selectAll: "Select all rows",
  selected: (n: number) => `${common.machines(n)} selected`,
  notMachines: "What is missing is no machine yet: there is nothing to do to it.",
  none: "Nothing waits for you",
  noneHint:
    "Power on a machine that nobody declared, on a subnet that says `unknown: discover`: it appears here with what it is. " +
    "`pilotlight expected import FILE.csv` says which ones are to come, and an AcceptRule takes in those that you know.",
  noneHere: "Nothing is in this part",
  noneHereHint: "Look at everything that waits.",
  accept: {
    button: "Accept …",
    title: (name: string) => `Accept ${name}`,
    does: "It is taken in, and not wiped: its next boot gets what its group gives it.",
    name: "Name",
    nameHint: "What it is called from now on",
    labels: "Labels",
    labelsHint: "Such as role=worker,rack=r1: by these its group finds it",
    badLabels: "key=value is expected, with commas between several",
    go: "Accept",
    doing: "Taking it in",
    inScope: (group: string | null | undefined, profile: string | null | undefined) =>
      profile == null
        ? "As it is now, no group gives it a profile."
        : `As it is now, group ${group ?? ""} gives it the profile ${profile}.`,
  },
} as const;
