import { Modal, Text, TextInput, useMantineColorScheme } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useDeferredValue, useId, useState, useSyncExternalStore } from "react";
import { fleetQuery } from "../api/fleet";
import { useForbidden } from "../api/rights";
import { signOut } from "../api/session";
import { ACTIONS, refusal } from "../logic/action";
import { field, type Row } from "../logic/row";
import { views } from "../logic/views";
import { Icon, type IconName } from "../parts/Icon";
import { StageMark } from "../parts/Stage";
import { machines as machineWords } from "../words/machines";
import { palette, views as viewWords } from "../words/operations";
import { shell } from "../words/shell";
import { PAGES } from "./pages";

interface Option {
  key: string;
  title: string;
  what: string;
  icon: IconName;
  more?: React.ReactNode;
  go: () => void;
}

const MOST = 12;

/** Any machine, page or action, by a few letters: `/` or Ctrl-K. */
export function Palette({ close }: { close: () => void }) {
  const queries = useQueryClient();
  const fleet = useQuery(fleetQuery(queries));
  const navigate = useNavigate();
  const { setColorScheme } = useMantineColorScheme();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useId();
  const wanted = useDeferredValue(text.trim().toLowerCase());

  const pages: Option[] = PAGES.map((page) => ({
    key: page.to,
    title: shell.pages[page.name],
    what: shell.palette.page,
    icon: page.name,
    go: () => void navigate({ to: page.to }),
  }));
  const action = (title: string, go: () => void): Option => ({
    key: title,
    title,
    what: shell.palette.action,
    icon: "start",
    go,
  });
  const actions = [
    action(shell.palette.toLight, () => setColorScheme("light")),
    action(shell.palette.toDark, () => setColorScheme("dark")),
    action(shell.palette.toAuto, () => setColorScheme("auto")),
    action(shell.signOut, () => void signOut()),
  ];
  const saved = useSyncExternalStore(views.subscribe, views.all).map((view): Option => ({
    key: `view/${view.name}`,
    title: viewWords.open(view.name),
    what: palette.view,
    icon: "machines",
    go: () => void navigate({ to: "/machines", search: view.search }),
  }));
  const named = [...pages, ...saved, ...actions].filter((option) => option.title.toLowerCase().includes(wanted));
  const rows = fleet.data?.rows ?? [];
  const machines = wanted === "" ? [] : best(rows, wanted);
  // `provision n7`, or what can be done to the machine whose page this is.
  const { pathname } = useLocation();
  const here = /^\/machines\/([^/]+)/.exec(pathname)?.[1];
  const forbidden = useForbidden();
  const acts = ACTIONS.flatMap((one): Option[] => {
    const title = machineWords.action[one];
    const [, word = "", name = ""] = /^(\S*)\s*(.*)$/.exec(wanted) ?? [];
    if (word === "" || !title.toLowerCase().startsWith(word)) return [];
    const meant = name === "" ? rows.filter((row) => row.name === here) : best(rows, name).slice(0, 5);
    return meant
      .filter(
        (row) =>
          forbidden(one, "Machine", (key) => field(row, key)) === undefined &&
          refusal(one, { stage: row.stage, held: row.hold !== undefined, profiled: row.profile !== undefined }) ===
            undefined,
      )
      .map((row) => ({
        key: `act/${one}/${row.name}`,
        title: palette.action(title, row.name),
        what: shell.palette.action,
        icon: "start",
        more: <StageMark stage={row.stage} />,
        go: () => void navigate({ to: "/machines/$name", params: { name: row.name }, search: { act: one } }),
      }));
  });
  const options: Option[] = [
    ...acts,
    ...machines.map((row) => ({
      key: `machine/${row.name}`,
      title: row.name,
      what: shell.palette.machine,
      icon: "machines" as const,
      more: <StageMark stage={row.stage} />,
      go: () => void navigate({ to: "/machines/$name", params: { name: row.name } }),
    })),
    ...named,
  ].slice(0, MOST + 4);
  const at = Math.min(chosen, Math.max(0, options.length - 1));

  const go = (option: Option | undefined) => {
    if (option === undefined) return;
    close();
    option.go();
  };
  const key = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      setChosen((at + by + options.length) % Math.max(1, options.length));
    }
    if (event.key === "Enter") {
      event.preventDefault();
      go(options[at]);
    }
  };
  return (
    <Modal
      opened
      onClose={close}
      withCloseButton={false}
      size="lg"
      padding="xs"
      yOffset="8vh"
      title={shell.palette.title}
      classNames={{ header: "unseen" }}
    >
      <TextInput
        aria-label={shell.palette.title}
        placeholder={shell.searchHint}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={key}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={`${list}-${at}`}
        autoComplete="off"
        data-autofocus
        leftSection={<Icon name="search" />}
      />
      <div role="listbox" id={list} className="options" aria-label={shell.palette.title}>
        {options.map((option, index) => (
          <div
            key={option.key}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === at}
            className="option"
            onClick={() => go(option)}
            onMouseMove={() => setChosen(index)}
          >
            <Icon name={option.icon} />
            <span className="wrap">{option.title}</span>
            {option.more}
            <span className="dim optionwhat">{option.what}</span>
          </div>
        ))}
      </div>
      {options.length === 0 && (
        <Text size="sm" p="xs">
          {fleet.data === undefined ? shell.palette.reading : shell.palette.none(text)}
        </Text>
      )}
      <Text size="xs" className="dim" p={4}>
        {shell.palette.keys} · {palette.hint}
      </Text>
    </Modal>
  );
}

/** Those whose name begins so first, then those that have it anywhere. */
function best(rows: readonly Row[], wanted: string): Row[] {
  const first: Row[] = [];
  const then: Row[] = [];
  for (const row of rows) {
    if (row.name.startsWith(wanted)) first.push(row);
    else if (then.length < MOST && row.search.includes(wanted)) then.push(row);
    if (first.length >= MOST) break;
  }
  return [...first, ...then].slice(0, MOST);
}
