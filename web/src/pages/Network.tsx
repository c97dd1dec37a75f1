import { Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../parts/Page";
import { addresses as words } from "../words/network";
import { network } from "../words/pages";
import { FirmwareTab } from "./network/Firmware";
import { Inspector } from "./network/Inspector";
import { Leases } from "./network/Leases";
import { Seen } from "./network/Seen";
import { Subnets } from "./network/Subnets";

const route = getRouteApi("/network");
const TABS = ["subnets", "leases", "seen", "firmware", "inspector"] as const;

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
      <Tabs
        value={tab}
        onChange={(value) => void navigate({ search: value === "subnets" ? {} : { tab: value ?? "" } })}
        keepMounted={false}
      >
        <Tabs.List>
          {TABS.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {words.tabs[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <div className="tabbody">
          <Tabs.Panel value="subnets">
            <Subnets />
          </Tabs.Panel>
          <Tabs.Panel value="leases">
            <Leases />
          </Tabs.Panel>
          <Tabs.Panel value="seen">
            <Seen />
          </Tabs.Panel>
          <Tabs.Panel value="firmware">
            <FirmwareTab />
          </Tabs.Panel>
          <Tabs.Panel value="inspector">
            <Inspector />
          </Tabs.Panel>
        </div>
      </Tabs>
    </Page>
  );
}
