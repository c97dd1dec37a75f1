import { Progress, Text } from "@mantine/core";
import type { Operation } from "../../api/client";
import { bytes } from "../../logic/time";
import { images as words } from "../../words/profiles";

/** How far an operation has come with the files that it fetches. */
export function Fetching({ operation }: { operation: Operation }) {
  const transfers = operation.transfers ?? [];
  if (transfers.length === 0) return <Text size="sm">{words.starting}</Text>;
  return (
    <ul className="list" aria-label={words.running}>
      {transfers.map((one) => {
        const size = one.size ?? undefined;
        const name = one.url.split("/").pop() ?? one.url;
        return (
          <li key={one.url}>
            <Text size="xs" title={one.url}>
              {name}{" "}
              <span className="dim">
                {words.progress(bytes(one.bytes), size === undefined ? undefined : bytes(size))}
              </span>
            </Text>
            {size !== undefined && (
              <Progress size="sm" value={size === 0 ? 100 : (100 * one.bytes) / size} aria-label={name} />
            )}
          </li>
        );
      })}
    </ul>
  );
}
