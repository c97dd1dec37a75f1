import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { networkQuery } from "../../api/more";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
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

const COLUMNS: readonly PlainColumn<Row>[] = [
  { title: words.address, names: true, className: "mono", cell: (row) => row.address },
  {
    title: words.subnet,
    cell: ({ subnet }) => (
      <Link to="/network/$name" params={{ name: subnet }}>
        {subnet}
      </Link>
    ),
  },
  { title: words.last, cell: (row) => <Ago at={row.last} /> },
  {
    title: words.history,
    cell: ({ subnet }) => (
      <Link to="/events" search={{ object: `subnet/${subnet}` }}>
        subnet/{subnet}
      </Link>
    ),
  },
];

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
      <PlainTable label={label} rows={rows} columns={COLUMNS} id={(row) => `${row.subnet} ${row.address}`} />
    </>
  );
}
