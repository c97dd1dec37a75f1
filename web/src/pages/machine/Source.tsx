import { Button, Group, SegmentedControl, Stack } from "@mantine/core";
import { useState } from "react";
import { stringify } from "yaml";
import type { Machine } from "../../api/client";
import { download } from "../../logic/table";
import { Snippet } from "../../parts/Page";
import { machine as words } from "../../words/machines";
import { source as more } from "../../words/operations";

/** The machine as text: what was declared, or everything. */
export function Source({ machine }: { machine: Machine }) {
  const [whole, setWhole] = useState(false);
  const [json, setJson] = useState(false);
  const { kind, name, labels, spec } = machine;
  const shown = whole ? machine : { kind, name, labels, spec };
  const text = json ? `${JSON.stringify(shown, null, 2)}\n` : stringify(shown);
  return (
    <Stack gap="xs" align="flex-start">
      <Group gap="sm">
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
        <SegmentedControl
          size="xs"
          aria-label={more.language}
          value={json ? "json" : "yaml"}
          onChange={(value) => setJson(value === "json")}
          data={[
            { value: "yaml", label: "YAML" },
            { value: "json", label: "JSON" },
          ]}
        />
        <Button
          size="xs"
          variant="default"
          onClick={() =>
            download(`${name}.${json ? "json" : "yaml"}`, json ? "application/json" : "application/yaml", text)
          }
        >
          {more.download}
        </Button>
      </Group>
      <div style={{ width: "100%" }}>
        <Snippet label={words.tabs.source} text={text} />
      </div>
    </Stack>
  );
}
