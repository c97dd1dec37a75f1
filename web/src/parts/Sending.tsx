import { Button, Group, Modal, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { shell } from "../words/shell";
import { ErrorBox, Waiting } from "./Trouble";

/** A dialog that sends something, says that it does, and closes once that is done. */
export function Sending({
  title,
  submit,
  doing,
  ready = true,
  danger = false,
  known = () => false,
  send,
  close,
  children,
}: {
  title: string;
  submit: string;
  doing: string;
  ready?: boolean;
  danger?: boolean;
  /** A refusal that the content itself speaks of. */
  known?: (error: unknown) => boolean;
  send: () => Promise<unknown>;
  close: () => void;
  children: ReactNode;
}) {
  const queries = useQueryClient();
  const sending = useMutation({
    mutationFn: send,
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["resources"] });
      close();
    },
    // What is there is another thing than what is shown: it is read again.
    onError: () => void queries.invalidateQueries({ queryKey: ["resources"] }),
  });
  return (
    <Modal opened onClose={close} title={title} size="lg" closeButtonProps={{ "aria-label": shell.close }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          sending.mutate();
        }}
      >
        <Stack gap="sm">
          {children}
          {sending.isError && !known(sending.error) && <ErrorBox error={sending.error} />}
          {sending.isPending && <Waiting what={doing} />}
          <Group justify="flex-end">
            <Button size="xs" variant="default" onClick={close}>
              {shell.cancel}
            </Button>
            <Button
              size="xs"
              type="submit"
              {...(danger ? { color: "red" } : {})}
              disabled={!ready || sending.isPending}
            >
              {submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
