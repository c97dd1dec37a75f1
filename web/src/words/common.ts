/** What several pages say. */
export const common = {
  ago: (text: string) => `${text} ago`,
  never: "never",
  none: "—",
  stages: {
    discovered: "discovered",
    ready: "ready",
    provisioning: "provisioning",
    active: "active",
    failed: "failed",
    retired: "retired",
  } as Record<string, string>,
  phases: {
    dhcp: "DHCP",
    boot_program: "Boot program",
    script: "Script",
    kernel: "Kernel",
    initramfs: "Initramfs",
    rootfs: "Root fs",
    ignition: "Ignition",
    agent: "Agent",
  } as Record<string, string>,
  outcome: (result: string, more: string | undefined) => {
    if (result === "active") return "active";
    if (result === "local_disk") return "went to its disk";
    if (result === "failed") return `failed: ${more ?? "for an unknown reason"}`;
    return `started again during ${more ?? "its boot"}`;
  },
  count: (n: number, one: string, many: string) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`,
  machines: (n: number) => `${n.toLocaleString("en")} ${n === 1 ? "machine" : "machines"}`,
  reading: (what: string) => `Reading ${what}`,
  readingMachines: (n: number) => `Reading the machines: ${n.toLocaleString("en")} so far`,
  hold: "on hold",
  drift: "drifted",
  updated: "updated",
  revision: "revision",
} as const;
