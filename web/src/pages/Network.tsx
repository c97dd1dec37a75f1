import { Button, Tabs, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import type { Subnet } from "../api/client";
import { fleetQuery } from "../api/fleet";
import { listQuery } from "../api/queries";
import { contains, network, range, type Span, toNumber } from "../logic/address";
import type { Row } from "../logic/row";
import { Page } from "../parts/Page";
import { Empty, Loaded } from "../parts/Trouble";
import { common } from "../words/common";
import { network as words, resources } from "../words/pages";
import { Inspector } from "./network/Inspector";
import { NEW } from "./Resources";

const route = getRouteApi("/network");

export function Network() {
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page
      title={words.title}
      calls={[
        { what: "The subnets", path: "subnets", cli: "pilotlight get subnets" },
        {
          what: "What would be answered to a packet",
          method: "POST",
          path: "explain",
          body: { packet: "0101…" },
          cli: "pilotlight explain --packet HEX",
        },
      ]}
    >
      <Tabs
        value={tab === "inspector" ? "inspector" : "subnets"}
        onChange={(value) => void navigate({ search: value === "inspector" ? { tab: value } : {} })}
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="subnets">{words.tabs.subnets}</Tabs.Tab>
          <Tabs.Tab value="inspector">{words.tabs.inspector}</Tabs.Tab>
        </Tabs.List>
        <div className="tabbody">
          <Tabs.Panel value="subnets">
            <Subnets />
          </Tabs.Panel>
          <Tabs.Panel value="inspector">
            <Inspector />
          </Tabs.Panel>
        </div>
      </Tabs>
    </Page>
  );
}

function Subnets() {
  const query = useQuery(listQuery<Subnet>("subnets"));
  const fleet = useQuery(fleetQuery(useQueryClient()));
  const navigate = useNavigate();
  return (
    <Loaded query={query} what={common.reading(resources.reading.subnets)}>
      {(subnets) => (
        <>
          <Button size="xs" mb="sm" onClick={() => void navigate({ to: "/network/$name", params: { name: NEW } })}>
            {resources.create.subnets}
          </Button>
          {subnets.length === 0 && <Empty title={resources.none.subnets}>{resources.noneHint.subnets}</Empty>}
          <div className="panels">
            {subnets.map((subnet) => (
              <Card key={subnet.name} subnet={subnet} rows={fleet.data?.rows ?? []} />
            ))}
          </div>
        </>
      )}
    </Loaded>
  );
}

function Card({ subnet, rows }: { subnet: Subnet; rows: readonly Row[] }) {
  const { spec } = subnet;
  return (
    <section className="panel">
      <h2>
        <Link to="/network/$name" params={{ name: subnet.name }}>
          {subnet.name}
        </Link>
      </h2>
      <dl className="pairs">
        <dt>{words.cidr}</dt>
        <dd className="mono">{[spec.cidr, spec.cidr6].filter(Boolean).join(", ")}</dd>
        <dt>{words.mode}</dt>
        <dd>{spec.mode}</dd>
        <dt>{words.ranges}</dt>
        <dd className="mono">{spec.ranges?.join(", ") ?? common.none}</dd>
        <dt>{words.unknown}</dt>
        <dd>{spec.unknown}</dd>
        <dt>{words.lease}</dt>
        <dd>{spec.lease}</dd>
      </dl>
      <Picture subnet={subnet} rows={rows} />
    </section>
  );
}

/** The whole network as a bar: its ranges, and where in them somebody is. */
function Picture({ subnet, rows }: { subnet: Subnet; rows: readonly Row[] }) {
  const whole = network(subnet.spec.cidr);
  if (whole === undefined) return null;
  const size = whole.to - whole.from + 1;
  const spans = (texts: readonly string[] | undefined): Span[] =>
    (texts ?? []).map(range).filter((span) => span !== undefined);
  const ranges = spans(subnet.spec.ranges);
  const numbers = (pick: (row: Row) => string | undefined) =>
    rows
      .map((row) => toNumber(pick(row) ?? ""))
      .filter((n) => n !== undefined)
      .filter((n) => contains(whole, n));
  const given = numbers((row) => row.address);
  const reserved = numbers((row) => row.reserved);
  const gateway = toNumber(subnet.spec.gateway ?? "");
  const x = (address: number) => ((address - whole.from) / size) * 1000;
  const bar = (span: Span, className: string, y: number, height: number) => (
    <rect
      key={`${className}${span.from}`}
      className={className}
      x={x(span.from)}
      width={Math.max(2, x(span.to + 1) - x(span.from))}
      y={y}
      height={height}
    />
  );
  const dot = (n: number) => ({ from: n, to: n });
  const all = ranges.reduce((sum, span) => sum + span.to - span.from + 1, 0);
  return (
    <>
      <svg
        className="range"
        viewBox="0 0 1000 34"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${words.picture(subnet.name)}: ${words.figures(given.length, reserved.length, all)}`}
      >
        <rect className="r-all" x="0" y="8" width="1000" height="18" />
        {ranges.map((span) => bar(span, "r-range", 8, 18))}
        {spans(subnet.spec.exclude).map((span) => bar(span, "r-exclude", 8, 18))}
        {reserved.map((n) => bar(dot(n), "r-reserved", 3, 28))}
        {given.map((n) => bar(dot(n), "r-used", 11, 12))}
        {gateway !== undefined && contains(whole, gateway) && bar(dot(gateway), "r-gateway", 0, 34)}
      </svg>
      <div className="legend" aria-hidden="true">
        {(Object.keys(words.legend) as (keyof typeof words.legend)[]).map((key) => (
          <span key={key}>
            <i className={`l-${key}`} />
            {words.legend[key]}
          </span>
        ))}
      </div>
      <Text size="xs" mt={4}>
        {words.figures(given.length, reserved.length, all)}
      </Text>
    </>
  );
}
