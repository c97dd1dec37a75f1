/** What the pages of profiles and groups say beside what all resources do. */
export const draft = {
  tabs: { plan: "What this would do", preview: "What a machine gets" },
  heading: "What a machine gets",
  machine: "Machine",
  choose: "Choose a machine",
  making: "Making what it would get",
  noMachine: "There is no machine yet: declare one, and what it would get is shown here.",
  unsaved: "Of this text, which is not applied.",
  other: (given: string | null | undefined, profile: string) =>
    given == null
      ? `No group gives it a profile: this is what ${profile} would be for it.`
      : `Its groups give it ${given}: this is what ${profile} would be for it.`,
  broken: "It cannot be made for this machine",
  mistakes: "Once the mistakes are mended, what a machine gets is shown here.",
  parts: { ignition: "Ignition", args: "Kernel arguments", script: "Script", from: "Where from" },
  none: {
    ignition: "The profile has no config.",
    args: "There are none beside those that the OS needs.",
    script: "It gets no script.",
  },
  hover: "Point at a line, and what it is from stands here.",
  fromPlace: (profile: string, field: string, line: number | undefined) =>
    `profile ${profile}, ${field}${line === undefined ? "" : `, line ${line}`}`,
  path: "Value",
  from: "Where it is from",
  variables: "Variables",
  secrets: "Secrets, masked here",
};

export const winners = {
  tab: "Machines",
  reading: "who wins for whom",
  heading: "Who wins for a machine",
  choose: "Machine",
  chooseHint: "Every group that takes it, the one that counts first.",
  none: "No group takes this machine",
  noneHint: "It gets no profile until one does: compare its labels with what the groups select.",
  table: "Groups that take the machine, the one that counts first",
  machines: "Machines that the group takes",
  group: "Group",
  profile: "Profile",
  priority: "Priority",
  machine: "Machine",
  counts: "counts",
  loses: "does not count",
  because: "Because",
  winner: "Counts",
  noMachines: "It takes no machine",
  noMachinesHint: "No machine has the labels or MACs that it asks for.",
  summary: (wins: number, all: number) =>
    wins === all
      ? `It counts for all ${all.toLocaleString("en")} that it takes.`
      : `It counts for ${wins.toLocaleString("en")} of the ${all.toLocaleString("en")} that it takes.`,
};

export const images = {
  files: "Files",
  kernel: "Kernel",
  initrd: (n: number, all: number) => (all === 1 ? "Initramfs" : `Initramfs ${n}`),
  rootfs: "Root file system",
  file: "File",
  source: "Source",
  sha256: "SHA-256",
  verified: "verified",
  verifiedHint:
    "Each file was fetched and held against its hash before this revision was taken; it is held against it again before it is served.",
  machines: "Machines",
  running: "Being fetched",
  progress: (done: string, all: string | undefined) => (all === undefined ? done : `${done} of ${all}`),
  cancel: "Call it off",
  cancelled: "It is being called off.",
  fetching: (what: string, by: string) => `${what}, by ${by}`,
  starting: "Looking what is there already",
};
