import type { SubnetUse } from "../api/client";
import type { components } from "../api/schema";
import { linkBytes } from "../logic/queue";
import { bytes } from "../logic/time";
import { common } from "../words/common";
import { site as words } from "../words/operations";
import { boots } from "../words/pages";

export type Site = components["schemas"]["Site"];
type SubnetPace = components["schemas"]["SubnetPace"];

/** How full something is, as a bar beside its number. */
export function Gauge({ part, tone = "busy" }: { part: number; tone?: "busy" | "warn" | "bad" }) {
  return (
    <span className="gauge" aria-hidden="true">
      <span className={`gauge-${tone}`} style={{ width: `${Math.min(100, Math.max(0, part * 100))}%` }} />
    </span>
  );
}

const isBusy = (subnet: SubnetPace) => subnet.loading + subnet.waiting + subnet.offers_held > 0;

/** Who loads and who waits, subnet by subnet, while there are such. */
export function Storm({ site }: { site: Site }) {
  const busy = site.subnets.filter(isBusy);
  if (busy.length === 0) return null;
  const sum = (of: (subnet: SubnetPace) => number) => busy.reduce((all, subnet) => all + of(subnet), 0);
  return (
    <section className="storm" aria-label={words.storm}>
      <b>
        {words.stormOf(
          sum((subnet) => subnet.loading),
          sum((subnet) => subnet.waiting),
        )}
      </b>
      {busy.map((subnet) => (
        <span key={subnet.name} className="stormlink">
          {busy.length > 1 && <span>{subnet.name}</span>}
          <LinkUse subnet={subnet} />
        </span>
      ))}
    </section>
  );
}

/** What a link carries of what it can. */
export function LinkUse({ subnet }: { subnet: SubnetPace }) {
  const most = linkBytes(subnet.link);
  return (
    <span className="use">
      <Gauge part={most === undefined ? 0 : subnet.rate / most} />
      <span className="nowrap">{words.linkOf(boots.perSecond(bytes(subnet.rate)), subnet.link)}</span>
    </span>
  );
}

export function FreeAddresses({ use }: { use: SubnetUse | undefined }) {
  if (use === undefined || use.addresses === 0) return <span className="dim">{common.none}</span>;
  const part = 1 - use.free / use.addresses;
  return (
    <span className="use">
      <Gauge part={part} tone={part > 0.95 ? "bad" : part > 0.8 ? "warn" : "busy"} />
      <span className="nowrap">{words.addressesOf(use.free, use.addresses)}</span>
    </span>
  );
}
