import { SegmentedControl, Stack } from "@mantine/core";
import { useState } from "react";
import { stringify } from "yaml";
import type { Machine } from "../../api/client";
import { Snippet } from "../../parts/Page";
import { machine as words } from "../../words/machines";

/** The machine as text: what was declared, or everything. */
export function Source({ machine }: { machine: Machine }) {
  const [whole, setWhole] = useState(false);
  const { kind, name, labels, spec } = machine;
  const text = stringify(whole ? machine : { kind, name, labels, spec });
  return (
    <Stack gap="xs" align="flex-start">
      <SegmentedControl
        size="xs"
        aria-label={words.source.format}
        value={whole ? "whole" : "declared"}
        onChange={(value) => setWhole(value === "whole")}
        data={[
          { value: "declared", label: words.source.declared },
          { value: "whole", label: words.source.whole },
        ]}
      />
      <div style={{ width: "100%" }}>
        <Snippet label={words.tabs.source} text={text} />
      </div>
    </Stack>
  );
}
