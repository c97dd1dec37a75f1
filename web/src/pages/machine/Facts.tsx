import { Text } from "@mantine/core";
import type { Facts, Machine } from "../../api/client";
import { bytes, span } from "../../logic/time";
import { Disks, Interfaces } from "../../parts/Interfaces";
import { Ago } from "../../parts/Time";
import { Empty } from "../../parts/Trouble";
import { common } from "../../words/common";
import { machine as words } from "../../words/machines";
import { disks as pictures } from "../../words/operations";

type Value = string | number | boolean | null | undefined;

function Pairs({ values }: { values: Record<string, Value> }) {
  const there = Object.entries(values).filter(
    (entry): entry is [string, string | number | boolean] => entry[1] != null && entry[1] !== "",
  );
  return (
    <dl className="pairs">
      {there.map(([key, value]) => (
        <div key={key} style={{ display: "contents" }}>
          <dt>{key}</dt>
          <dd>{String(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Table({ titles, rows }: { titles: readonly string[]; rows: readonly (readonly Value[])[] }) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={titles.join(", ")}>
      <table className="plain">
        <thead>
          <tr>
            {titles.map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={titles[column]}>{cell == null ? common.none : String(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const size = (n: number | null | undefined) => (n == null ? undefined : bytes(n));
const micro = (n: number | null | undefined) => (n == null ? undefined : span(n / 1000));

export function FactsTab({ machine }: { machine: Machine }) {
  if (machine.facts === null) return <Empty title={words.facts.none}>{words.facts.noneHint}</Empty>;
  return (
    <>
      <Text size="sm" className="dim" mb="xs">
        {words.facts.reported} <Ago at={machine.facts_at} />
      </Text>
      <Subjects facts={machine.facts} />
    </>
  );
}

function Subjects({ facts }: { facts: Facts }) {
  const { system, cpus, memory, disks, nics, os, kernel, bootTimes } = facts;
  const w = words.facts;
  return (
    <div className="panels">
      <section className="panel">
        <h2>{w.system}</h2>
        <Pairs
          values={{
            Vendor: system.vendor,
            Product: system.product,
            Serial: system.serial,
            UUID: system.uuid,
            Board: [system.board.vendor, system.board.product].filter(Boolean).join(" "),
            Chassis: [system.chassis.type, system.chassis.serial].filter(Boolean).join(", "),
            Firmware: [system.firmware.vendor, system.firmware.version, system.firmware.date]
              .filter(Boolean)
              .join(", "),
            Mode: system.firmware.mode,
            "Secure Boot": system.firmware.secureBoot == null ? undefined : system.firmware.secureBoot ? "on" : "off",
          }}
        />
      </section>
      <section className="panel">
        <h2>{w.cpus}</h2>
        <Pairs
          values={{ Architecture: cpus.architecture, Sockets: cpus.sockets, Cores: cpus.cores, Threads: cpus.threads }}
        />
        <ul className="list">
          {cpus.packages.map((one) => (
            <li key={one.number}>{[one.vendor, one.model].filter(Boolean).join(" ")}</li>
          ))}
        </ul>
      </section>
      <section className="panel">
        <h2>{w.memory}</h2>
        <Pairs values={{ Installed: size(memory.installedBytes), Usable: size(memory.usableBytes) }} />
        {memory.slots.length > 0 && (
          <Table
            titles={["Slot", "Size", "Type", "MT/s", "Maker"]}
            rows={memory.slots.map((slot) => [
              slot.locator,
              size(slot.sizeBytes),
              slot.type,
              slot.configuredSpeedMts ?? slot.speedMts,
              slot.manufacturer,
            ])}
          />
        )}
      </section>
      <section className="panel">
        <h2>{w.disks}</h2>
        <Disks facts={facts} label={pictures.picture} />
        <Table
          titles={["Disk", "Size", "Model", "Serial", "By"]}
          rows={disks.map((disk) => [
            disk.name,
            size(disk.sizeBytes),
            [disk.vendor, disk.model].filter(Boolean).join(" "),
            disk.serial,
            disk.transport,
          ])}
        />
      </section>
      <section className="panel">
        <h2>{w.nics}</h2>
        <Interfaces facts={facts} />
        <Table
          titles={["Name", "MAC", "Link", "Mbit/s", "Addresses"]}
          rows={nics.map((nic) => [
            nic.booted ? `${nic.name} (booted)` : nic.name,
            nic.mac,
            nic.link == null ? undefined : nic.link ? "up" : "down",
            nic.speedMbps,
            nic.addresses.join(" "),
          ])}
        />
      </section>
      <section className="panel">
        <h2>{w.software}</h2>
        <Pairs
          values={{
            OS: os.prettyName ?? os.name,
            Kernel: kernel.release,
            Hostname: facts.hostname,
            Agent: facts.agent,
          }}
        />
      </section>
      <section className="panel">
        <h2>{w.boot}</h2>
        <Pairs
          values={{
            Firmware: micro(bootTimes.firmwareUs),
            Loader: micro(bootTimes.loaderUs),
            Kernel: micro(bootTimes.kernelUs),
            Initrd: micro(bootTimes.initrdUs),
            Userspace: micro(bootTimes.userspaceUs),
          }}
        />
      </section>
      {facts.problems.length > 0 && (
        <section className="panel">
          <h2>{w.problems}</h2>
          <ul className="list">
            {facts.problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
