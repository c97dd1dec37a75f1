import { Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { FirmwareRow } from "../../api/client";
import { fleetQuery } from "../../api/fleet";
import { firmwareQuery } from "../../api/more";
import { Loaded } from "../../parts/Trouble";
import { common } from "../../words/common";
import { addresses } from "../../words/network";

const words = addresses.firmware;

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
          <table className="plain">
            <caption className="unseen">{words.learned}</caption>
            <thead>
              <tr>
                <th scope="col">{words.machine}</th>
                <th scope="col">{words.model}</th>
                <th scope="col">{words.style}</th>
              </tr>
            </thead>
            <tbody>
              {learned.map((row) => (
                <tr key={row.name}>
                  <th scope="row">
                    <Link to="/machines/$name" params={{ name: row.name }}>
                      {row.name}
                    </Link>
                  </th>
                  <td>{row.product ?? common.none}</td>
                  <td>{words.styles[row.reply ?? ""] ?? row.reply}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      <section className="panel">
        <h2>{words.table}</h2>
        <Loaded query={table} what={common.reading(words.reading)}>
          {(all) => (
            <div className="scroll" tabIndex={0} role="region" aria-label={words.table}>
              <table className="plain">
                <caption className="unseen">{words.table}</caption>
                <thead>
                  <tr>
                    {[words.row, words.match, words.replies, words.programs].map((title) => (
                      <th key={title} scope="col">
                        {title}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {all.map((row) => (
                    <tr key={row.name}>
                      <th scope="row">
                        {row.name} {row.revision === 0 && <span className="tag">{words.shipped}</span>}
                      </th>
                      <td className="mono">{matches(row)}</td>
                      <td>{row.spec.replies?.join(", ") ?? common.none}</td>
                      <td className="mono">{row.spec.programs?.join(", ") ?? common.none}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
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
