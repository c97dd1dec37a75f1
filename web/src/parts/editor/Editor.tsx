import { Alert, Button, Group, Stack, Tabs, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { type Document, type Operation, type Plan, Refused, sendTo } from "../../api/client";
import { carriedOut } from "../../api/operations";
import { type Placed, readDocuments } from "../../logic/documents";
import { editor as words } from "../../words/pages";
import { draft as draftWords } from "../../words/profiles";
import { Fetching } from "./Fetching";
import { ActionButton, useRoleReason } from "../Actions";
import { ErrorBox, Waiting } from "../Trouble";
import { CodeArea } from "./CodeArea";
import { draftOf, forget, keep } from "./drafts";
import { PlanView } from "./PlanView";
import { Preview } from "./Preview";
import { useCompletion } from "./schema";

const PAUSE = 400;

interface Props {
  /** The text as it is declared now; what was typed is kept under `draft` until it is applied. */
  initial: string;
  draft: string;
  applied?: () => void;
  /** What the plan rests on: when it changes, the plan is asked for anew. */
  basis?: number;
  /** Says that it is applied, where the editor began anew since. */
  done?: boolean;
  /** Told of each change, to say whether there is something unsaved. */
  changed?: (dirty: boolean) => void;
}

/** Documents, their mistakes at their lines, what they would do, and the button that does it. */
export function Editor({ initial, draft, applied, changed, basis = 0, done = false }: Props) {
  const queries = useQueryClient();
  const [text, setText] = useState(() => draftOf(draft) ?? initial);
  const [restored, setRestored] = useState(text !== initial);
  const [message, setMessage] = useState("");
  const [typed, setTyped] = useState("");
  const [fetching, setFetching] = useState<Operation>();
  const [turn, setTurn] = useState(0);
  const search: { beside?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const role = useRoleReason("editor");
  const complete = useCompletion();
  const [settled] = useDebouncedValue(text, PAUSE);
  const read = useMemo(() => readDocuments(settled), [settled]);
  const asks = read.mistakes.length === 0 && read.documents.length > 0;
  const plan = useQuery({
    queryKey: ["plan", settled, basis],
    enabled: asks,
    gcTime: 60_000,
    staleTime: 0,
    placeholderData: keepPreviousData,
    queryFn: () => sendTo<Plan>("POST", "plan", read.documents),
  });
  const errors = plan.error instanceof Refused ? (plan.error.problem.errors ?? []) : [];
  const mistakes: Placed[] = useMemo(
    () => (asks ? errors.map((mistake) => read.place(mistake)) : read.mistakes),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the errors are those of the plan
    [read, asks, plan.error],
  );

  const type = (next: string) => {
    setText(next);
    setRestored(false);
    apply.reset();
    if (next === initial) forget(draft);
    else keep(draft, next);
    changed?.(next !== initial);
  };
  const apply = useMutation({
    mutationFn: (documents: Document[]) => {
      const query = new URLSearchParams();
      if (plan.data !== undefined) query.set("expect-plan", plan.data.hash);
      if (needs !== undefined) query.set("allow-machines", String(needs));
      if (message.trim() !== "") query.set("message", message.trim());
      return carriedOut(`apply?${query.toString()}`, documents, setFetching);
    },
    onSuccess: async () => {
      forget(draft);
      setMessage("");
      setTyped("");
      setTurn((before) => before + 1);
      changed?.(false);
      await queries.invalidateQueries({ queryKey: ["resources"] });
      void queries.invalidateQueries({ queryKey: ["fleet", "rows"] });
      void plan.refetch();
      applied?.();
    },
    // What is there is not what was planned over: it is planned anew.
    onError: () => void plan.refetch(),
    onSettled: () => setFetching(undefined),
  });
  const needs = plan.data?.guard.needs ?? undefined;
  const current = asks && settled === text && plan.data !== undefined && !plan.isPlaceholderData && !plan.isError;
  const something = (plan.data?.changes.length ?? 0) > 0;
  const ready =
    current &&
    something &&
    (needs === undefined || typed.trim() === String(needs)) &&
    !apply.isPending &&
    role === undefined;

  return (
    <div className="editor">
      <div>
        {restored && (
          <Alert color="yellow" mb="xs" role="status">
            <Group justify="space-between">
              {words.restored}
              <Button size="compact-xs" variant="default" onClick={() => type(initial)}>
                {words.discard}
              </Button>
            </Group>
          </Alert>
        )}
        <CodeArea label={words.label} value={text} onChange={type} mistakes={mistakes} complete={complete} />
        <Text size="xs" className="dim">
          {words.keys}
        </Text>
      </div>
      <Tabs
        value={search.beside === "preview" ? "preview" : "plan"}
        onChange={(value) =>
          void navigate({
            to: ".",
            search: ((before: object) => ({ ...before, beside: value === "preview" ? value : undefined })) as never,
            replace: true,
          })
        }
        keepMounted={false}
        className="beside"
      >
        <Tabs.List mb="xs">
          <Tabs.Tab value="plan">
            {draftWords.tabs.plan}
            {mistakes.length > 0 && <span className="tag tag-bad count">{mistakes.length}</span>}
          </Tabs.Tab>
          <Tabs.Tab value="preview">{draftWords.tabs.preview}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="preview">
          <Preview documents={read.documents} clean={asks && !plan.isError} basis={basis + turn} />
        </Tabs.Panel>
        <Tabs.Panel value="plan">
          <Stack gap="xs" role="region" aria-label={words.plan}>
            {mistakes.length > 0 && (
              <Alert color="red" title={words.mistakes(mistakes.length)} role="alert">
                <ul className="list">
                  {mistakes.map((mistake, index) => (
                    <li key={index}>
                      <b>{words.line(mistake.line)}</b>: {mistake.detail}
                    </li>
                  ))}
                </ul>
              </Alert>
            )}
            {read.documents.length === 0 && read.mistakes.length === 0 && <Text size="sm">{words.noDocument}</Text>}
            {plan.isError && errors.length === 0 && asks && (
              <ErrorBox error={plan.error} again={() => void plan.refetch()} />
            )}
            {plan.isFetching && !current && <Waiting what={words.checking} />}
            {(apply.isSuccess || (done && text === initial)) && (
              <Alert color="green" role="status" title={words.applied} />
            )}
            {apply.isError && <ErrorBox error={apply.error} />}
            {current && <PlanView plan={plan.data} />}
            {current && something && (
              <>
                <TextInput
                  size="xs"
                  label={words.message}
                  description={words.messageHint}
                  value={message}
                  onChange={(event) => setMessage(event.currentTarget.value)}
                  maxLength={500}
                />
                {needs !== undefined && (
                  <TextInput
                    size="xs"
                    label={words.guard(needs)}
                    value={typed}
                    onChange={(event) => setTyped(event.currentTarget.value)}
                    inputMode="numeric"
                    autoComplete="off"
                  />
                )}
              </>
            )}
            {apply.isPending &&
              (fetching === undefined ? <Waiting what={words.applying} /> : <Fetching operation={fetching} />)}
            <Group>
              {role === undefined ? (
                <Button size="xs" disabled={!ready} onClick={() => apply.mutate(read.documents)}>
                  {words.apply}
                </Button>
              ) : (
                <ActionButton label={words.apply} reason={role} onClick={() => undefined} />
              )}
            </Group>
          </Stack>
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}
