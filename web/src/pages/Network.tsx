import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../parts/Page";
import { PageTabs } from "../parts/PageTabs";
import { addresses as words } from "../words/network";
import { network } from "../words/pages";
import { FirmwareTab } from "./network/Firmware";
import { Inspector } from "./network/Inspector";
import { Leases } from "./network/Leases";
import { Seen } from "./network/Seen";
import { Subnets } from "./network/Subnets";

const route = getRouteApi("/network");
const TABS = ["subnets", "leases", "seen", "firmware", "inspector"] as const;
const BODIES = {
  subnets: () => <Subnets />,
  leases: () => <Leases />,
  seen: () => <Seen />,
  firmware: () => <FirmwareTab />,
  inspector: () => <Inspector />,
};

export function Network() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const tab = TABS.find((known) => known === search.tab) ?? "subnets";
  const filter = [search.subnet && `subnet=${search.subnet}`, search.state && `state=${search.state}`].filter(Boolean);
  const options = [search.subnet && `--subnet ${search.subnet}`, search.state && `--state ${search.state}`];
  return (
    <Page
      title={network.title}
      calls={[
        { what: "The subnets", path: "subnets", cli: "pilotlight get subnets" },
        { what: "How full they are, and who else is there", path: "network", cli: "pilotlight network" },
        {
          what: "Who has which address",
          path: `leases${filter.length > 0 ? `?${filter.join("&")}` : ""}`,
          cli: ["pilotlight leases", ...options].filter(Boolean).join(" "),
        },
        { what: "The firmware table", path: "firmware", cli: "pilotlight get firmware" },
        {
          what: "What would be answered to a packet",
          method: "POST",
          path: "explain",
          body: { packet: "0101…" },
          cli: "pilotlight explain --packet HEX; pilotlight explain --pcap FILE",
        },
      ]}
    >
      <PageTabs
        tabs={TABS.map((key) => ({ key, title: words.tabs[key], body: BODIES[key] }))}
        open={tab}
        choose={(key) => void navigate({ search: key === "subnets" ? {} : { tab: key } })}
      />
    </Page>
  );
}
