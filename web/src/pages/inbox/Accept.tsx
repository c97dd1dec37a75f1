import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { InboxRow } from "../../api/client";
import { refresh } from "../../api/fleet";
import { accept } from "../../api/inbox";
import { labelsOf, labelsText } from "../../logic/labels";
import { ErrorBox, Waiting } from "../../parts/Trouble";
import { inbox } from "../../words/inbox";
import { shell } from "../../words/shell";

const words = inbox.accept;

/** Takes one machine in: under its name, with the labels by which a group finds it. */
export function AcceptDialog({ row, close }: { row: InboxRow; close: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState(row.accept?.name ?? row.name);
  const [text, setText] = useState(labelsText(row.accept?.labels ?? {}));
  const labels = labelsOf(text);
  const act = useMutation({
    mutationFn: () => accept(row.name, name.trim(), labels ?? {}),
    onSuccess: async () => {
      await refresh(queries, new Set([row.name, name.trim()]));
      close();
    },
  });
  const ready = name.trim() !== "" && labels !== undefined && !act.isPending;
  return (
    <Modal opened onClose={close} title={words.title(row.name)} closeButtonProps={{ "aria-label": shell.close }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) act.mutate();
        }}
      >
        <Stack gap="sm">
          <Text size="sm">{words.does}</Text>
          <Text size="sm">{words.inScope(row.accept?.group, row.accept?.profile)}</Text>
          <TextInput
            label={words.name}
            description={words.nameHint}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            required
            maxLength={63}
            data-autofocus
          />
          <TextInput
            label={words.labels}
            description={words.labelsHint}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            error={labels === undefined ? words.badLabels : undefined}
          />
          {act.isError && <ErrorBox error={act.error} />}
          {act.isPending && <Waiting what={words.doing} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" size="xs" onClick={close}>
              {shell.cancel}
            </Button>
            <Button type="submit" size="xs" disabled={!ready}>
              {words.go}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
