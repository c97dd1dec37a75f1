/** DHCP packets out of a capture file: pcap and pcapng, of Ethernet, raw IP and Linux cooked frames. */

export interface Captured {
  /** The content of the UDP datagram, in hex. */
  hex: string;
  from: string;
  to: string;
  port: number;
}

const PORTS = new Set([67, 68, 4011, 546, 547]);
const MOST = 500;
const ETHERNET = 1;
const RAW = 101;
const LINUX_SLL = 113;
const LINUX_SLL2 = 276;

/** The DHCP packets of a file; nothing, if it is no capture that can be read. */
export function dhcpPackets(file: ArrayBuffer): Captured[] | undefined {
  const frames = framesOf(new DataView(file));
  if (frames === undefined) return undefined;
  const found: Captured[] = [];
  for (const { link, bytes } of frames) {
    const packet = datagram(link, bytes);
    if (packet !== undefined && found.length < MOST) found.push(packet);
  }
  return found;
}

interface Frame {
  link: number;
  bytes: Uint8Array;
}

function framesOf(view: DataView): Frame[] | undefined {
  if (view.byteLength < 24) return undefined;
  const magic = view.getUint32(0, true);
  if (magic === 0xa1b2c3d4 || magic === 0xa1b23c4d) return pcap(view, true);
  if (magic === 0xd4c3b2a1 || magic === 0x4d3cb2a1) return pcap(view, false);
  if (magic === 0x0a0d0d0a) return pcapng(view);
  return undefined;
}

const slice = (view: DataView, at: number, length: number) => new Uint8Array(view.buffer, view.byteOffset + at, length);

function pcap(view: DataView, little: boolean): Frame[] {
  const link = view.getUint32(20, little) & 0xfff_ffff;
  const frames: Frame[] = [];
  let at = 24;
  while (at + 16 <= view.byteLength) {
    const length = view.getUint32(at + 8, little);
    at += 16;
    // A capture that was cut off ends in the middle of a packet.
    if (at + length > view.byteLength) break;
    frames.push({ link, bytes: slice(view, at, length) });
    at += length;
  }
  return frames;
}

function pcapng(view: DataView): Frame[] {
  const frames: Frame[] = [];
  let links: number[] = [];
  let little = true;
  let at = 0;
  while (at + 12 <= view.byteLength) {
    const section = view.getUint32(at, true) === 0x0a0d0d0a;
    if (section) {
      little = view.getUint32(at + 8, true) === 0x1a2b3c4d;
      links = [];
    }
    const type = view.getUint32(at, little);
    const length = view.getUint32(at + 4, little);
    if (length < 12 || length % 4 !== 0 || at + length > view.byteLength) break;
    if (type === 1 && length >= 20) links.push(view.getUint16(at + 8, little));
    if (type === 6 && length >= 32) {
      const captured = view.getUint32(at + 20, little);
      const link = links[view.getUint32(at + 8, little)];
      if (link !== undefined && 28 + captured <= length) frames.push({ link, bytes: slice(view, at + 28, captured) });
    }
    if (type === 3 && length >= 16 && links[0] !== undefined) {
      const captured = Math.min(view.getUint32(at + 8, little), length - 16);
      frames.push({ link: links[0], bytes: slice(view, at + 12, captured) });
    }
    at += length;
  }
  return frames;
}

/** The DHCP packet in a frame, if there is one. */
function datagram(link: number, frame: Uint8Array): Captured | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  try {
    let at = 0;
    if (link === ETHERNET) {
      at = 12;
      // VLAN tags.
      while (view.getUint16(at) === 0x8100 || view.getUint16(at) === 0x88a8) at += 4;
      at += 2;
    } else if (link === LINUX_SLL) at = 16;
    else if (link === LINUX_SLL2) at = 20;
    else if (link !== RAW) return undefined;
    const version = view.getUint8(at) >> 4;
    return version === 4 ? four(view, at) : version === 6 ? six(view, at) : undefined;
  } catch (error) {
    // It ends before its headers do.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function four(view: DataView, at: number): Captured | undefined {
  const fragment = view.getUint16(at + 6) & 0x3fff;
  if (view.getUint8(at + 9) !== 17 || fragment !== 0) return undefined;
  const address = (from: number) => Array.from({ length: 4 }, (_, n) => view.getUint8(from + n)).join(".");
  return udp(view, at + (view.getUint8(at) & 15) * 4, address(at + 12), address(at + 16));
}

function six(view: DataView, at: number): Captured | undefined {
  if (view.getUint8(at + 6) !== 17) return undefined;
  const address = (from: number) =>
    new URL(
      `http://[${Array.from({ length: 8 }, (_, n) => view.getUint16(from + 2 * n).toString(16)).join(":")}]`,
    ).hostname.slice(1, -1);
  return udp(view, at + 40, address(at + 8), address(at + 24));
}

function udp(view: DataView, at: number, from: string, to: string): Captured | undefined {
  const [source, port] = [view.getUint16(at), view.getUint16(at + 2)];
  const length = Math.min(view.getUint16(at + 4), view.byteLength - at);
  if (!PORTS.has(source) || !PORTS.has(port) || length <= 8) return undefined;
  const bytes = Array.from({ length: length - 8 }, (_, n) => view.getUint8(at + 8 + n));
  return { hex: bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(""), from, to, port };
}
