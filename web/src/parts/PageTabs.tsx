import { Tabs } from "@mantine/core";
import type { ReactNode } from "react";

/** The tabs of a page: only the one that is open is there. */
export function PageTabs<T extends string>({
  tabs,
  open,
  choose,
}: {
  tabs: readonly { key: T; title: ReactNode; body: () => ReactNode }[];
  open: T;
  choose: (tab: T) => void;
}) {
  return (
    <Tabs value={open} onChange={(value) => value !== null && choose(value as T)} keepMounted={false}>
      <Tabs.List>
        {tabs.map(({ key, title }) => (
          <Tabs.Tab key={key} value={key}>
            {title}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <div className="tabbody">
        {tabs.map(({ key, body }) => (
          <Tabs.Panel key={key} value={key}>
            {key === open && body()}
          </Tabs.Panel>
        ))}
      </div>
    </Tabs>
  );
}
