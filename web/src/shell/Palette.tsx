import { Modal, Text, TextInput, useMantineColorScheme } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useDeferredValue, useId, useState } from "react";
import { fleetQuery } from "../api/fleet";
import { signOut } from "../api/session";
import type { Row } from "../logic/row";
import { Icon, type IconName } from "../parts/Icon";
import { StageMark } from "../parts/Stage";
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
  const named = [...pages, ...actions].filter((option) => option.title.toLowerCase().includes(wanted));
  const machines = wanted === "" ? [] : best(fleet.data?.rows ?? [], wanted);
  const options: Option[] = [
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
        {shell.palette.keys}
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
