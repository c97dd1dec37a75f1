import { Button, Group, Menu, Modal, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, useSyncExternalStore } from "react";
import { client, data, type MachineAction, type MachinesAnswer } from "../api/client";
import { type Fleet, refresh } from "../api/fleet";
import { may, session } from "../api/session";
import { ACTIONS, isDangerous } from "../logic/action";
import { machines } from "../words/machines";
import { common } from "../words/common";
import { shell } from "../words/shell";
import { StageMark } from "./Stage";
import { ErrorBox, Waiting } from "./Trouble";

/** The most that the API takes at once. */
const MOST = 10_000;
const SHOWN = 8;

/** A button that is off says why, to the pointer, to the keyboard and to screen readers. */
export function ActionButton({
  label,
  reason,
  onClick,
  color,
  name,
  small = false,
  busy = false,
}: {
  label: string;
  reason: string | undefined;
  onClick: () => void;
  color?: string;
  /** What it is called where several have the same label. */
  name?: string;
  /** As it stands in a row of a table. */
  small?: boolean;
  busy?: boolean;
}) {
  return (
    <Tooltip
      label={reason}
      disabled={reason === undefined}
      multiline
      w={260}
      events={{ hover: true, focus: true, touch: true }}
    >
      <Button
        size={small ? "compact-xs" : "xs"}
        variant="default"
        aria-label={name}
        disabled={busy}
        {...(color === undefined ? {} : { color })}
        {...(reason === undefined ? {} : { "data-disabled": true, "aria-disabled": true, "aria-description": reason })}
        onClick={(event) => (reason === undefined ? onClick() : event.preventDefault())}
      >
        {label}
      </Button>
    </Tooltip>
  );
}

/** Why whoever is signed in may not act, if so. */
export function useRoleReason(role: "operator" | "editor" | "admin"): string | undefined {
  const me = useSyncExternalStore(session.subscribe, session.me);
  return may(role, me) ? undefined : shell.takesRole(role, me?.role);
}

/** Bulk actions as a menu, where there is no room for buttons. What is allowed on none of them says why. */
export function ActionMenu({
  choose,
  reason,
}: {
  choose: (action: MachineAction) => void;
  reason: (action: MachineAction) => string | undefined;
}) {
  const first = reason("hold");
  if (first !== undefined && ACTIONS.every((action) => reason(action) !== undefined))
    return <Text size="sm">{first}</Text>;
  return (
    <Menu>
      <Menu.Target>
        <Button size="xs">{machines.act}</Button>
      </Menu.Target>
      <Menu.Dropdown>
        {ACTIONS.map((action) => {
          const why = reason(action);
          return (
            <Menu.Item
              key={action}
              onClick={() => why === undefined && choose(action)}
              {...(why === undefined ? {} : { "data-disabled": true, "aria-disabled": true, title: why })}
            >
              {machines.action[action]}
              {why !== undefined && <div className="dim small">{why}</div>}
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Why machines are put on hold, and for how long: until somebody releases them, if that is empty. */
interface Why {
  reason: string;
  lasts: string;
}

async function ask(
  action: MachineAction,
  names: readonly string[],
  { reason, lasts }: Why,
  dryRun: boolean,
): Promise<MachinesAnswer> {
  const items: MachinesAnswer["items"] = [];
  for (let from = 0; from < names.length; from += MOST) {
    const body = {
      action,
      names: names.slice(from, from + MOST),
      dry_run: dryRun,
      ...(action === "hold" ? { reason, ...(lasts === "" ? {} : { for: lasts }) } : {}),
    };
    items.push(...(await data(client.POST("/api/v1/machines/actions", { body }))).items);
  }
  return { dry_run: dryRun, items };
}

/** Asks the daemon what would happen, says it, and does it once that is confirmed. */
export function ActionDialog({
  action,
  names,
  close,
}: {
  action: MachineAction;
  names: readonly string[];
  close: (done: boolean) => void;
}) {
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [lasts, setLasts] = useState("");
  const [typed, setTyped] = useState("");
  const words = machines.dialog;
  const preview = useQuery({
    queryKey: ["preview", action, names],
    gcTime: 0,
    staleTime: Infinity,
    queryFn: () => ask(action, names, { reason: "?", lasts: "" }, true),
  });
  const act = useMutation({
    mutationFn: () => ask(action, names, { reason, lasts: lasts.trim() }, false),
    onSuccess: () => void refresh(queries, new Set(names)),
  });
  const good = preview.data?.items.filter((item) => item.done).length ?? 0;
  const number = String(good);
  const confirmed = !(isDangerous(action) && good > 1) || typed.trim() === number;
  const ready = good > 0 && confirmed && (action !== "hold" || reason.trim() !== "") && !act.isPending;
  return (
    <Modal
      opened
      onClose={() => close(act.isSuccess)}
      title={words.title(machines.action[action], names.length)}
      closeButtonProps={{ "aria-label": shell.close }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) act.mutate();
        }}
      >
        <Stack gap="sm">
          <Text size="sm">{machines.does[action]}</Text>
          {act.isSuccess ? (
            <Outcome answer={act.data} done={words.done} refused={words.doneRefused} />
          ) : (
            <>
              {preview.isPending && <Waiting what={words.asking} />}
              {preview.isError && <ErrorBox error={preview.error} again={() => void preview.refetch()} />}
              {preview.data !== undefined && (
                <Outcome answer={preview.data} done={words.would} refused={words.refused} />
              )}
              {action === "hold" && (
                <TextInput
                  label={words.reason}
                  description={words.reasonHint}
                  value={reason}
                  onChange={(event) => setReason(event.currentTarget.value)}
                  required
                  maxLength={500}
                  data-autofocus
                />
              )}
              {action === "hold" && (
                <TextInput
                  label={words.lasts}
                  description={words.lastsHint}
                  value={lasts}
                  onChange={(event) => setLasts(event.currentTarget.value)}
                  maxLength={20}
                />
              )}
              {isDangerous(action) && good > 1 && (
                <TextInput
                  label={words.type(good)}
                  value={typed}
                  onChange={(event) => setTyped(event.currentTarget.value)}
                  inputMode="numeric"
                  autoComplete="off"
                  data-autofocus
                />
              )}
              {act.isError && <ErrorBox error={act.error} />}
              {act.isPending && <Waiting what={words.doing} />}
            </>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" size="xs" onClick={() => close(act.isSuccess)}>
              {act.isSuccess ? shell.close : shell.cancel}
            </Button>
            {!act.isSuccess && (
              <Button type="submit" size="xs" disabled={!ready} {...(action === "retire" ? { color: "red" } : {})}>
                {words.title(machines.action[action], good)}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Outcome({
  answer,
  done,
  refused,
}: {
  answer: MachinesAnswer;
  done: (n: number) => string;
  refused: (n: number) => string;
}) {
  const words = machines.dialog;
  const bad = answer.items.filter((item) => !item.done);
  const good = answer.items.length - bad.length;
  return (
    <div role="status">
      <Text size="sm" fw={600}>
        {good === 0 ? words.nothing : done(good)}
      </Text>
      {answer.dry_run && <Becomes answer={answer} />}
      {bad.length > 0 && (
        <>
          <Text size="sm">{refused(bad.length)}</Text>
          <ul className="list">
            {bad.slice(0, SHOWN).map((item) => (
              <li key={item.name}>
                <b>{item.name}</b>: {item.detail ?? item.code}
              </li>
            ))}
          </ul>
          {bad.length > SHOWN && <Text size="sm">{words.more(bad.length - SHOWN)}</Text>}
        </>
      )}
    </div>
  );
}

/** What would become of them: from which stage to which, and of whom. */
function Becomes({ answer }: { answer: MachinesAnswer }) {
  const queries = useQueryClient();
  const rows = queries.getQueryData<Fleet>(["fleet", "rows"])?.rows ?? [];
  const wanted = new Set(answer.items.map((item) => item.name));
  const before = new Map(rows.filter((row) => wanted.has(row.name)).map((row) => [row.name, row.stage]));
  const groups = new Map<string, { from: string | undefined; to: string; names: string[] }>();
  for (const item of answer.items) {
    if (!item.done || item.stage == null) continue;
    const from = before.get(item.name);
    const key = `${from ?? ""} ${item.stage}`;
    const group = groups.get(key) ?? { from, to: item.stage, names: [] };
    group.names.push(item.name);
    groups.set(key, group);
  }
  return (
    <ul className="list">
      {[...groups].map(([key, { from, to, names }]) => (
        <li key={key}>
          <span className="becomes">
            {from !== undefined && from !== to && (
              <>
                <StageMark stage={from} /> →{" "}
              </>
            )}
            <StageMark stage={to} />
          </span>{" "}
          {common.machines(names.length)}: {names.slice(0, SHOWN).join(", ")}
          {names.length > SHOWN && ` ${machines.dialog.more(names.length - SHOWN)}`}
        </li>
      ))}
    </ul>
  );
}
