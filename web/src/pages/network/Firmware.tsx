import { Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { FirmwareRow } from "../../api/client";
import { fleetQuery } from "../../api/fleet";
import { firmwareQuery } from "../../api/more";
import type { Row } from "../../logic/row";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
import { Loaded } from "../../parts/Trouble";
import { common } from "../../words/common";
import { addresses } from "../../words/network";

const words = addresses.firmware;

const LEARNED: readonly PlainColumn<Row>[] = [
  {
    title: words.machine,
    names: true,
    cell: ({ name }) => (
      <Link to="/machines/$name" params={{ name }}>
        {name}
      </Link>
    ),
  },
  { title: words.model, cell: (row) => row.product ?? common.none },
  { title: words.style, cell: (row) => words.styles[row.reply ?? ""] ?? row.reply },
];

const TABLE: readonly PlainColumn<FirmwareRow>[] = [
  {
    title: words.row,
    names: true,
    cell: (row) => (
      <>
        {row.name} {row.revision === 0 && <span className="tag">{words.shipped}</span>}
      </>
    ),
  },
  { title: words.match, className: "mono", cell: matches },
  { title: words.replies, cell: (row) => row.spec.replies?.join(", ") ?? common.none },
  { title: words.programs, className: "mono", cell: (row) => row.spec.programs?.join(", ") ?? common.none },
];

/** What was learned of machines' firmware, and the table that decides how each is told. */
export function FirmwareTab() {
  const rows = useQuery(fleetQuery(useQueryClient())).data?.rows ?? [];
  const table = useQuery(firmwareQuery);
  const learned = rows.filter((row) => row.reply !== undefined);
  return (
    <div className="stacked">
      <section className="panel">
        <h2>{words.learned}</h2>
        {learned.length === 0 ? (
          <Text size="sm">{words.none}</Text>
        ) : (
          <PlainTable label={words.learned} rows={learned} columns={LEARNED} id={(row) => row.name} />
        )}
      </section>
      <section className="panel">
        <h2>{words.table}</h2>
        <Loaded query={table} what={common.reading(words.reading)}>
          {(all) => <PlainTable label={words.table} rows={all} columns={TABLE} id={(row) => row.name} />}
        </Loaded>
      </section>
    </div>
  );
}

function matches(row: FirmwareRow): string {
  const said = Object.entries(row.spec.match ?? {}).filter(
    ([, value]) => value !== null && !(Array.isArray(value) && value.length === 0),
  );
  const text = (value: unknown) => (Array.isArray(value) ? value.join(" ") : String(value));
  return said.map(([key, value]) => `${key} ${text(value)}`).join(", ") || words.anything;
}
