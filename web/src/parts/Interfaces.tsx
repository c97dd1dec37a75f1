import type { Facts } from "../api/client";
import { bytes } from "../logic/time";
import { interfaces as words } from "../words/operations";

const speed = (mbps: number | null | undefined): string =>
  mbps == null ? "" : mbps >= 1000 ? `${mbps / 1000} Gbit/s` : `${mbps} Mbit/s`;

/** The back of the machine: a socket for each interface, with its link. */
export function Interfaces({ facts }: { facts: Facts }) {
  if (facts.nics.length === 0) return <p className="dim">{words.none}</p>;
  return (
    <>
      <ul className="ports" aria-label={words.picture}>
        {facts.nics.map((nic) => {
          const link = nic.link == null ? words.unknown : nic.link ? words.up : words.down;
          const state = nic.link == null ? "unknown" : nic.link ? "up" : "down";
          return (
            <li
              key={`${nic.name} ${nic.mac}`}
              className="port"
              title={words.one(nic.name, nic.mac, link, speed(nic.speedMbps), nic.booted)}
            >
              <svg viewBox="0 0 44 34" width="44" height="34" aria-hidden="true" className={`socket socket-${state}`}>
                <path d="M3 3h38v28H3z" />
                <path d="M9 9h26v11h-4v4h-4v3h-10v-3h-4v-4H9z" className="jack" />
                {nic.booted && <circle cx="37" cy="7" r="2.6" className="lamp" />}
              </svg>
              <span className="portname">{nic.name}</span>
              <span className="dim">{[link, speed(nic.speedMbps)].filter(Boolean).join(", ")}</span>
              {nic.booted && <span className="tag">{words.booted}</span>}
              <span className="mono dim">{nic.mac}</span>
              {nic.addresses.slice(0, 3).map((address) => (
                <span key={address} className="mono dim wrap">
                  {address}
                </span>
              ))}
            </li>
          );
        })}
      </ul>
      <p className="dim small">{words.noSwitch}</p>
    </>
  );
}

/** The disks, as long as they are large. */
export function Disks({ facts, label }: { facts: Facts; label: string }) {
  const largest = Math.max(1, ...facts.disks.map((disk) => disk.sizeBytes));
  return (
    <ul className="disks" aria-label={label}>
      {facts.disks.map((disk) => (
        <li key={disk.path || disk.name}>
          <b>{disk.name}</b>
          <span className="gauge" aria-hidden="true">
            <span className="gauge-busy" style={{ width: `${Math.max(2, (disk.sizeBytes / largest) * 100)}%` }} />
          </span>
          <span className="num nowrap">{bytes(disk.sizeBytes)}</span>
          <span className="dim wrap">
            {[disk.vendor, disk.model, disk.serial, disk.transport].filter(Boolean).join(" · ")}
          </span>
        </li>
      ))}
    </ul>
  );
}
