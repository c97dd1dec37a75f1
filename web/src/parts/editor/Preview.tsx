import { Alert, SegmentedControl, Select, Stack, Text } from "@mantine/core";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { type ConfigValue, type Document, type Rendered, sendTo } from "../../api/client";
import { fleetQuery } from "../../api/fleet";
import { jsonLines } from "../../logic/lines";
import { draft as words } from "../../words/profiles";
import { Snippet } from "../Page";
import { ErrorBox, Waiting } from "../Trouble";

const PARTS = ["ignition", "from", "args", "script"] as const;
type Part = (typeof PARTS)[number];
/** The most machines that are offered at once: the search finds the others. */
const OFFERED = 200;

interface Props {
  documents: readonly Document[];
  /** Whether the text has no mistakes that are known. */
  clean: boolean;
  /** Counts up with what is there: then it is made anew. */
  basis: number;
}

/** What a machine would get of the text as it is now, applied or not. */
export function Preview({ documents, clean, basis }: Props) {
  const rows = useQuery(fleetQuery(useQueryClient())).data?.rows ?? [];
  const search: { machine?: string; part?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const set = (change: Record<string, string | undefined>) =>
    void navigate({ to: ".", search: ((before: object) => ({ ...before, ...change })) as never, replace: true });
  const profile = documents.filter((one) => one.kind === "Profile").map((one) => one.name)[0];
  const machine = search.machine ?? (rows.find((row) => row.profile === profile) ?? rows[0])?.name;
  const part: Part = PARTS.find((known) => known === search.part) ?? "ignition";
  const made = useQuery({
    queryKey: ["render", machine, profile ?? "", documents, basis],
    enabled: clean && machine !== undefined,
    placeholderData: keepPreviousData,
    gcTime: 60_000,
    queryFn: () =>
      sendTo<Rendered>("POST", "render", { documents, machine, ...(profile === undefined ? {} : { profile }) }),
  });
  if (machine === undefined) return <Text size="sm">{words.noMachine}</Text>;
  return (
    <Stack gap="xs" role="region" aria-label={words.heading}>
      <Select
        size="xs"
        label={words.machine}
        searchable
        allowDeselect={false}
        limit={OFFERED}
        value={machine}
        data={rows.map((row) => row.name)}
        onChange={(value) => set({ machine: value ?? undefined })}
      />
      {!clean && <Text size="sm">{words.mistakes}</Text>}
      {made.isFetching && <Waiting what={words.making} />}
      {clean && made.isError && <ErrorBox error={made.error} again={() => void made.refetch()} />}
      {clean && made.data !== undefined && !made.isError && (
        <>
          <Text size="sm" className="wrap">
            {made.data.given === made.data.profile ? words.unsaved : words.other(made.data.given, made.data.profile)}{" "}
            <span className="dim">{made.data.answer}</span>
          </Text>
          {made.data.broken != null && (
            <Alert color="red" role="alert" title={words.broken} className="wrap">
              {made.data.broken}
            </Alert>
          )}
          <SegmentedControl
            size="xs"
            value={part}
            onChange={(value) => set({ part: value === "ignition" ? undefined : value })}
            data={PARTS.map((one) => ({ value: one, label: words.parts[one] }))}
          />
          <Content made={made.data} part={part} />
        </>
      )}
    </Stack>
  );
}

function Content({ made, part }: { made: Rendered; part: Part }) {
  if (part === "args") {
    return made.kernel_args.length === 0 ? (
      <Text size="sm">{words.none.args}</Text>
    ) : (
      <Snippet label={words.parts.args} text={made.kernel_args.join("\n")} />
    );
  }
  if (part === "script") {
    return made.script == null ? (
      <Text size="sm">{words.none.script}</Text>
    ) : (
      <Snippet label={words.parts.script} text={made.script} />
    );
  }
  if (made.ignition == null) return made.broken == null ? <Text size="sm">{words.none.ignition}</Text> : null;
  return part === "from" ? <From values={made.provenance} /> : <Config made={made} />;
}

const place = (value: ConfigValue): string => words.fromPlace(value.profile, value.field, value.line ?? undefined);

const variables = (value: ConfigValue): string =>
  (value.variables ?? []).map((one) => `${one.name} = ${JSON.stringify(one.value)} (${one.from})`).join("; ");

/** The config line by line; what a line is from stands below, for the one that is pointed at. */
function Config({ made }: { made: Rendered }) {
  const [at, setAt] = useState<ConfigValue>();
  const known = new Map(made.provenance.map((value) => [value.path, value]));
  return (
    <>
      <div
        className="config"
        role="region"
        aria-label={words.parts.ignition}
        tabIndex={0}
        onMouseLeave={() => setAt(undefined)}
      >
        {jsonLines(made.ignition).map((line, index) => {
          const value = line.path === undefined ? undefined : known.get(line.path);
          return (
            <div
              key={index}
              className={value === undefined ? undefined : value === at ? "known here" : "known"}
              title={value === undefined ? undefined : place(value)}
              onMouseEnter={() => setAt(value)}
            >
              {line.text}
            </div>
          );
        })}
      </div>
      <Text size="xs" className="dim wrap" role="status">
        {at === undefined ? words.hover : [place(at), variables(at)].filter(Boolean).join("; ")}
      </Text>
      {(made.secrets ?? []).length > 0 && (
        <Text size="xs" className="wrap">
          {words.secrets}: {(made.secrets ?? []).map((one) => `${one.name} (${one.place})`).join(", ")}
        </Text>
      )}
    </>
  );
}

/** The same as a table, for those who do not point. */
function From({ values }: { values: readonly ConfigValue[] }) {
  return (
    <div className="scroll config" tabIndex={0} role="region" aria-label={words.parts.from}>
      <table className="plain">
        <caption className="unseen">{words.parts.from}</caption>
        <thead>
          <tr>
            <th scope="col">{words.path}</th>
            <th scope="col">{words.from}</th>
          </tr>
        </thead>
        <tbody>
          {values.map((value) => (
            <tr key={value.path}>
              <td className="mono">{value.path}</td>
              <td>
                {place(value)}
                {(value.variables ?? []).length > 0 && <div className="dim">{variables(value)}</div>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
