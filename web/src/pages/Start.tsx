import { Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import type { Plural } from "../api/client";
import { fleetQuery } from "../api/fleet";
import { listQuery } from "../api/queries";
import { TEMPLATES } from "../logic/templates";
import { Icon } from "../parts/Icon";
import { Page } from "../parts/Page";
import { Waiting } from "../parts/Trouble";
import { editor, start as words } from "../words/pages";

const Editor = lazy(() => import("../parts/editor/Editor").then((module) => ({ default: module.Editor })));

type Step = keyof typeof words.steps;

/** From an empty daemon to a machine that runs: the first step that is not done yet has its editor. */
export function Start() {
  const kinds: Plural[] = ["subnets", "images", "profiles", "groups"];
  const [subnets, images, profiles, groups] = [
    useQuery(listQuery("subnets")),
    useQuery(listQuery("images")),
    useQuery(listQuery("profiles")),
    useQuery(listQuery("groups")),
  ];
  const rows = useQuery(fleetQuery(useQueryClient())).data?.rows;
  const lists = [subnets, images, profiles, groups];
  const waiting = lists.some((list) => list.data === undefined) || rows === undefined;
  const done: Record<Step, boolean> = {
    subnet: (subnets.data?.length ?? 0) > 0,
    image: (images.data?.length ?? 0) > 0,
    profile: (profiles.data?.length ?? 0) > 0,
    group: (groups.data?.length ?? 0) > 0,
    machine: (rows?.length ?? 0) > 0,
    active: rows?.some((row) => row.stage === "active") === true,
  };
  const steps = Object.keys(words.steps) as Step[];
  const next = steps.find((step) => !done[step]);
  const texts: Partial<Record<Step, string>> = Object.fromEntries(
    [...kinds, "machines" as const].map((kind) => [kind.replace(/s$/, ""), TEMPLATES[kind]]),
  );
  const text = next === undefined ? TEMPLATES.machines : texts[next];
  return (
    <Page
      title={words.title}
      calls={[
        { what: "Apply documents", method: "POST", path: "apply", body: [], cli: "pilotlight apply -f site/" },
        { what: "Only see what would happen", method: "POST", path: "plan", body: [], cli: "pilotlight plan -f site/" },
      ]}
    >
      <Text size="sm">{words.intro}</Text>
      {waiting ? (
        <Waiting what={editor.loading} />
      ) : (
        <>
          <ol className="steps">
            {steps.map((step) => (
              <li
                key={step}
                className={done[step] ? "stepdone" : step === next ? "stepnext" : "dim"}
                aria-current={step === next ? "step" : undefined}
              >
                <b>
                  {done[step] && <Icon name="check" size={13} />} {words.steps[step].title}
                </b>{" "}
                <span className="dim">({done[step] ? words.done : step === next ? words.next : words.later})</span>
                <div className="dim">{words.steps[step].text}</div>
                {step === "active" && step === next && <Link to="/boots">{words.board}</Link>}
              </li>
            ))}
          </ol>
          {next === undefined && <Text size="sm">{words.againText}</Text>}
          {text !== undefined && (
            <Suspense fallback={<Waiting what={editor.loading} />}>
              <Editor key={next ?? "again"} initial={text} draft={`start/${next ?? "again"}`} />
            </Suspense>
          )}
        </>
      )}
    </Page>
  );
}
