import { Button, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { client, data, type Operation } from "../../api/client";
import { operationsQuery } from "../../api/more";
import { Fetching } from "../../parts/editor/Fetching";
import { ErrorBox } from "../../parts/Trouble";
import { images as words } from "../../words/profiles";

/** Images that are being fetched now: how far each file has come. */
export function Running() {
  const all = useQuery(operationsQuery).data ?? [];
  const running = all.filter((one) => one.state === "running" && (one.transfers ?? []).length > 0);
  if (running.length === 0) return null;
  return (
    <section className="panel" aria-label={words.running}>
      <h2>{words.running}</h2>
      {running.map((one) => (
        <One key={one.id} operation={one} />
      ))}
    </section>
  );
}

export function One({ operation }: { operation: Operation }) {
  const cancel = useMutation({
    mutationFn: () => data(client.DELETE("/api/v1/operations/{id}", { params: { path: { id: operation.id } } })),
  });
  return (
    <div>
      <Text size="sm">
        {words.fetching(operation.what, operation.by)}{" "}
        <Button size="compact-xs" variant="default" disabled={cancel.isPending} onClick={() => cancel.mutate()}>
          {words.cancel}
        </Button>
      </Text>
      {cancel.isSuccess && <Text size="xs">{words.cancelled}</Text>}
      {cancel.isError && <ErrorBox error={cancel.error} />}
      <Fetching operation={operation} />
    </div>
  );
}
