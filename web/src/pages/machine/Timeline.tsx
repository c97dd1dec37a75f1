import { Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { machineEventsQuery } from "../../api/queries";
import { EventList } from "../../parts/EventList";
import { Empty, Loaded } from "../../parts/Trouble";
import { common } from "../../words/common";
import { machine as words } from "../../words/machines";

const route = getRouteApi("/machines/$name");

export function Timeline({ name }: { name: string }) {
  const query = useQuery(machineEventsQuery(name));
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const part = search.part ?? "";
  const wanted = part.trim().toLowerCase();
  return (
    <Loaded query={query} what={common.reading(words.tabs.timeline)}>
      {(events) => {
        if (events.length === 0) return <Empty title={words.timeline.none} />;
        const shown = events.filter((event) =>
          `${event.kind} ${event.message} ${event.actor}`.toLowerCase().includes(wanted),
        );
        return (
          <>
            <TextInput
              label={words.timeline.filter}
              placeholder={words.timeline.filterHint}
              size="xs"
              w={{ base: "100%", sm: 300 }}
              mb="sm"
              value={part}
              onChange={(event) => {
                const value = event.currentTarget.value;
                void navigate({ search: (before) => ({ ...before, part: value }), replace: true });
              }}
            />
            {shown.length === 0 ? (
              <Text size="sm">{words.timeline.noneFound}</Text>
            ) : (
              <EventList events={shown} objects={false} />
            )}
          </>
        );
      }}
    </Loaded>
  );
}
