import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { networkQuery } from "../../api/more";
import { Ago } from "../../parts/Time";
import { Loaded } from "../../parts/Trouble";
import { common } from "../../words/common";
import { addresses } from "../../words/network";

const words = addresses.seen;

interface Row {
  subnet: string;
  address: string;
  last: string;
}

/** Who else is on the networks: relay agents, and other DHCP servers. */
export function Seen() {
  const query = useQuery(networkQuery);
  return (
    <Loaded query={query} what={common.reading(addresses.reading)}>
      {(uses) => {
        const rows = (kind: "relays" | "servers"): Row[] =>
          uses.flatMap((use) => use[kind].map((one) => ({ subnet: use.subnet, ...one })));
        return (
          <div className="panels">
            <section className="panel">
              <h2>{words.servers}</h2>
              <Sightings label={words.servers} rows={rows("servers")} none={words.noServers} hint={words.serverHint} />
            </section>
            <section className="panel">
              <h2>{words.relays}</h2>
              <Sightings label={words.relays} rows={rows("relays")} none={words.noRelays} />
            </section>
          </div>
        );
      }}
    </Loaded>
  );
}

function Sightings({ label, rows, none, hint }: { label: string; rows: readonly Row[]; none: string; hint?: string }) {
  if (rows.length === 0) return <Text size="sm">{none}</Text>;
  return (
    <>
      {hint !== undefined && (
        <Text size="sm" className="stage-failed">
          {hint}
        </Text>
      )}
      <table className="plain">
        <caption className="unseen">{label}</caption>
        <thead>
          <tr>
            <th scope="col">{words.address}</th>
            <th scope="col">{words.subnet}</th>
            <th scope="col">{words.last}</th>
            <th scope="col">{words.history}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.subnet} ${row.address}`}>
              <th scope="row" className="mono">
                {row.address}
              </th>
              <td>
                <Link to="/network/$name" params={{ name: row.subnet }}>
                  {row.subnet}
                </Link>
              </td>
              <td>
                <Ago at={row.last} />
              </td>
              <td>
                <Link to="/events" search={{ object: `subnet/${row.subnet}` }}>
                  subnet/{row.subnet}
                </Link>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
