/** Pictures of ranges, captures, and JSON with the paths of its values. */
import { expect, test } from "vitest";
import { dhcpPackets } from "./capture";
import { jsonLines } from "./lines";
import { blocks } from "./ranges";

test("a range is drawn as what is with its addresses", () => {
  const held = [
    { address: "10.0.0.10", state: "leased" },
    { address: "10.0.0.11", state: "abandoned" },
    { address: "10.0.0.12", state: "ended" },
    { address: "10.0.0.99", state: "leased" },
  ];
  const [first, second, ...more] = blocks(["10.0.0.10-10.0.0.19"], ["10.0.0.18-10.0.0.30"], held, ["10.0.0.15"], 2);
  expect(more).toEqual([]);
  expect(first).toMatchObject({ from: "10.0.0.10", to: "10.0.0.14", size: 5 });
  expect(first?.counts).toMatchObject({ leased: 1, abandoned: 1, free: 3 });
  expect(second?.counts).toMatchObject({ reserved: 1, excluded: 2, free: 2 });
  expect(blocks([], [], held, [], 10)).toEqual([]);
  const large = blocks(["10.0.0.0-10.0.255.255"], [], held, [], 96);
  expect(large.length).toBeLessThanOrEqual(96);
  expect(large.reduce((sum, block) => sum + block.size, 0)).toBe(65536);
});

test("each line of a config has the path of its value", () => {
  const lines = jsonLines({ storage: { files: [{ path: "/a", mode: 420 }] }, empty: [], none: null });
  expect(lines.filter((line) => line.path !== undefined).map((line) => line.path)).toEqual([
    "storage.files[0].path",
    "storage.files[0].mode",
    "empty",
    "none",
  ]);
  const text = lines.map((line) => line.text).join("\n");
  expect(JSON.parse(text)).toEqual({ storage: { files: [{ path: "/a", mode: 420 }] }, empty: [], none: null });
});

const bytes = (...parts: number[][]) => parts.flat();
const be16 = (n: number) => [n >> 8, n & 255];
const le32 = (n: number) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24];
const udp = (from: number, to: number, data: number[]) => [
  ...be16(from),
  ...be16(to),
  ...be16(8 + data.length),
  0,
  0,
  ...data,
];
const ip4 = (data: number[]) => [
  0x45,
  0,
  ...be16(20 + data.length),
  0,
  0,
  0,
  0,
  64,
  17,
  0,
  0,
  0,
  0,
  0,
  0,
  255,
  255,
  255,
  255,
  ...data,
];
const pcap = (link: number, ...frames: number[][]) =>
  new Uint8Array(
    bytes(
      [...le32(0xa1b2c3d4), 2, 0, 4, 0, ...le32(0), ...le32(0), ...le32(65535), ...le32(link)],
      ...frames.map((frame) => [...le32(0), ...le32(0), ...le32(frame.length), ...le32(frame.length), ...frame]),
    ),
  ).buffer;
const ethernet = (type: number[], data: number[]) => [...Array<number>(12).fill(1), ...type, ...data];

test("a capture's DHCP packets are found, whatever is around them", () => {
  const dhcp = ip4(udp(68, 67, [1, 2, 3]));
  const found = dhcpPackets(
    pcap(
      1,
      ethernet([8, 0], dhcp),
      ethernet([0x81, 0, 0, 7, 8, 0], dhcp),
      ethernet([8, 0], ip4(udp(1000, 53, [9]))),
      ethernet([8, 6], [0, 0]),
      [1, 2],
    ),
  );
  expect(found).toEqual(Array(2).fill({ hex: "010203", from: "0.0.0.0", to: "255.255.255.255", port: 67 }));
  expect(dhcpPackets(pcap(101, dhcp))?.length).toBe(1);
  const six = [
    0x60,
    0,
    0,
    0,
    0,
    0,
    17,
    1,
    0xfe,
    0x80,
    ...Array<number>(13).fill(0),
    1,
    0xff,
    2,
    ...Array<number>(11).fill(0),
    1,
    0,
    2,
  ];
  expect(dhcpPackets(pcap(1, ethernet([0x86, 0xdd], [...six, ...udp(546, 547, [1])])))).toEqual([
    { hex: "01", from: "fe80::1", to: "ff02::1:2", port: 547 },
  ]);
});

test("what is no capture is said to be none, and a cut one gives what is whole", () => {
  expect(dhcpPackets(new TextEncoder().encode("this is no capture, whatever its name").buffer)).toBeUndefined();
  expect(dhcpPackets(new ArrayBuffer(0))).toBeUndefined();
  const whole = pcap(1, ethernet([8, 0], ip4(udp(68, 67, [1]))), ethernet([8, 0], ip4(udp(68, 67, [2]))));
  expect(dhcpPackets(whole.slice(0, whole.byteLength - 3))?.length).toBe(1);
});

test("the newer format is read as well", () => {
  const frame = ethernet([8, 0], ip4(udp(67, 68, [7])));
  const padded = [...frame, ...Array<number>((4 - (frame.length % 4)) % 4).fill(0)];
  const block = (type: number, body: number[]) => [
    ...le32(type),
    ...le32(12 + body.length),
    ...body,
    ...le32(12 + body.length),
  ];
  const file = new Uint8Array([
    ...block(0x0a0d0d0a, [...le32(0x1a2b3c4d), 1, 0, 0, 0, ...Array<number>(8).fill(255)]),
    ...block(1, [1, 0, 0, 0, ...le32(65535)]),
    ...block(6, [...le32(0), ...le32(0), ...le32(0), ...le32(frame.length), ...le32(frame.length), ...padded]),
  ]).buffer;
  expect(dhcpPackets(file)).toEqual([{ hex: "07", from: "0.0.0.0", to: "255.255.255.255", port: 68 }]);
});
