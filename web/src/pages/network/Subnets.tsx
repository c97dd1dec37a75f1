import { Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import type { Subnet, SubnetUse } from "../../api/client";
import { fleetQuery } from "../../api/fleet";
import { leasesQuery, networkQuery } from "../../api/more";
import { listQuery } from "../../api/queries";
import { blocks, type Held, STATES } from "../../logic/ranges";
import { useForbidden } from "../../api/rights";
import { ActionButton } from "../../parts/Actions";
import { Empty, ErrorBox, Loaded, Waiting } from "../../parts/Trouble";
import { common } from "../../words/common";
import { addresses as words } from "../../words/network";
import { network, resources } from "../../words/pages";
import { NEW } from "../Resources";

/** So many blocks are told apart at the width of a card. */
const BLOCKS = 96;
/** Of larger subnets the leases are not read for the picture: the figures stand for them. */
const MOST_READ = 5000;

export function Subnets() {
  const query = useQuery(listQuery<Subnet>("subnets"));
  const uses = useQuery(networkQuery);
  const navigate = useNavigate();
  const forbidden = useForbidden();
  return (
    <Loaded query={query} what={common.reading(resources.reading.subnets)}>
      {(subnets) => (
        <>
          <div className="above">
            <ActionButton
              label={resources.create.subnets}
              reason={forbidden("write", "Subnet")}
              onClick={() => void navigate({ to: "/network/$name", params: { name: NEW } })}
            />
          </div>
          {subnets.length === 0 && <Empty title={resources.none.subnets}>{resources.noneHint.subnets}</Empty>}
          {uses.isError && <ErrorBox error={uses.error} again={() => void uses.refetch()} />}
          {uses.isPending && subnets.length > 0 && <Waiting what={common.reading(words.reading)} />}
          <div className="panels">
            {subnets.map((subnet) => (
              <Card key={subnet.name} subnet={subnet} use={uses.data?.find((one) => one.subnet === subnet.name)} />
            ))}
          </div>
        </>
      )}
    </Loaded>
  );
}

function Card({ subnet, use }: { subnet: Subnet; use: SubnetUse | undefined }) {
  const { spec } = subnet;
  return (
    <section className="panel" aria-label={subnet.name}>
      <h2 className="cardhead">
        <Link to="/network/$name" params={{ name: subnet.name }}>
          {subnet.name}
        </Link>
        <span className="mono dim">{[spec.cidr, spec.cidr6].filter(Boolean).join(", ")}</span>
        <span className="tag">{spec.mode}</span>
      </h2>
      {use !== undefined && <Room subnet={subnet} use={use} />}
      <dl className="pairs">
        <dt>{network.ranges}</dt>
        <dd className="mono">{spec.ranges?.join(", ") ?? common.none}</dd>
        <dt>{network.unknown}</dt>
        <dd>{spec.unknown}</dd>
        <dt>{network.lease}</dt>
        <dd>{spec.lease}</dd>
      </dl>
    </section>
  );
}

/** How much room there is: the figures, and a picture of where. */
function Room({ subnet, use }: { subnet: Subnet; use: SubnetUse }) {
  if (use.addresses === 0) return <Text size="sm">{words.noRanges}</Text>;
  const figures = (["leased", "offered", "reserved", "abandoned"] as const).filter((key) => use[key] > 0);
  return (
    <>
      <Text size="sm" className="room">
        <b>{words.free(use.free, use.addresses)}</b>{" "}
        {figures.map((key) => (
          <Link
            key={key}
            className="spaced"
            to="/network"
            search={{ tab: "leases", subnet: subnet.name, ...(key === "reserved" ? {} : { state: key }) }}
          >
            {use[key].toLocaleString("en")} {words.states[key]}
          </Link>
        ))}
      </Text>
      {use.free === 0 && (
        <Text size="sm" className="stage-failed">
          {words.full}
        </Text>
      )}
      <Picture subnet={subnet} use={use} />
    </>
  );
}

function Picture({ subnet, use }: { subnet: Subnet; use: SubnetUse }) {
  const few = use.leased + use.offered + use.abandoned <= MOST_READ;
  const leases = useQuery({ ...leasesQuery({ subnet: subnet.name }), enabled: few });
  const rows = useQuery(fleetQuery(useQueryClient())).data?.rows ?? [];
  const held: Held[] = leases.data?.items ?? [];
  const reserved = rows.map((row) => row.reserved).filter((address) => address !== undefined);
  const { ranges = [], exclude = [] } = subnet.spec;
  const all = blocks(ranges, exclude, held, reserved, BLOCKS);
  const width = 960 / Math.max(1, all.length);
  const there = STATES.filter((state) => all.some((block) => block.counts[state] > 0));
  return (
    <>
      <svg
        className="rangepicture"
        viewBox="0 0 960 40"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${words.picture(subnet.name)}: ${words.figures(use.free, use.addresses, use.leased)}`}
      >
        {all.map((block, index) => {
          let below = 40;
          return (
            <g key={block.from}>
              <title>{`${block.from}–${block.to}`}</title>
              {STATES.map((state) => {
                const count = block.counts[state];
                if (count === 0) return null;
                // One address among thousands is seen all the same.
                const height = state === "free" ? below : Math.min(below, Math.max(3, (40 * count) / block.size));
                below -= height;
                return (
                  <rect
                    key={state}
                    className={`a-${state}`}
                    x={index * width}
                    width={Math.max(width - (width > 4 ? 1 : 0), 0.5)}
                    y={below}
                    height={height}
                  />
                );
              })}
            </g>
          );
        })}
      </svg>
      <div className="legend" aria-hidden="true">
        {there.map((state) => (
          <span key={state}>
            <i className={`a-${state}`} />
            {words.states[state]}
          </span>
        ))}
        <span className="mono pushed">
          {all.length > 0 && `${all[0]?.from ?? ""} – ${all[all.length - 1]?.to ?? ""}`}
        </span>
      </div>
    </>
  );
}
