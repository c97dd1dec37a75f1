/** What a new document begins with. */
import type { Plural } from "../api/client";

export const TEMPLATES: Record<Plural | "machines", string> = {
  subnets: `kind: Subnet
name: rack-a
spec:
  cidr: 10.77.0.0/24
  # authoritative: gives addresses. proxy: another DHCP server does. shadow: only says what it would answer.
  mode: authoritative
  ranges: [10.77.0.100-10.77.0.200]
  gateway: 10.77.0.1
  dns: [10.77.0.1]
  lease: 1h
  # What becomes of machines that nobody declared: ignore, discover or accept.
  unknown: discover
`,
  images: `kind: Image
name: fcos-42
spec:
  os: fedora-coreos
  arch: x86_64
  version: "42.20261101.3.0"
  kernel: {url: https://example.com/kernel, sha256: ""}
  initrd: [{url: https://example.com/initramfs.img, sha256: ""}]
  rootfs: {url: https://example.com/rootfs.img, sha256: ""}
`,
  profiles: `kind: Profile
name: worker
spec:
  image: fcos-42
  boot: live
  kernelArgs: [console=ttyS0]
  butane: |
    variant: fcos
    version: 1.5.0
    storage:
      files:
        - path: /etc/motd
          mode: 0644
          overwrite: true
          contents:
            inline: This is {{ machine.name }}.
`,
  groups: `kind: Group
name: workers
spec:
  match:
    labels: {role: worker}
  profile: worker
`,
  webhooks: `kind: Webhook
name: alerts
spec:
  url: https://hooks.example/pilotlight
  events: [boot.failed, machine.conflict, dhcp.foreign]
  # Signs what is sent: a file on the daemon's host with the secret that the receiver has too.
  secret: {file: /etc/pilotlight/secrets/webhook}
`,
  machines: `kind: Machine
name: n1
labels: {role: worker, rack: r1}
spec:
  macs: ["52:54:00:12:34:56"]
`,
};
