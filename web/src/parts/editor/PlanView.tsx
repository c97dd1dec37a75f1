import { Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { BootChange, Plan } from "../../api/client";
import { editor as words } from "../../words/pages";
import { machines } from "../../words/machines";
import { Diff } from "../Diff";

const NAMES = 12;

/** What an apply would do, and which machines' boots would differ. */
export function PlanView({ plan }: { plan: Plan }) {
  if (plan.changes.length === 0) return <Text size="sm">{words.nothing}</Text>;
  return (
    <>
      {plan.changes.map((change) => (
        <section key={`${change.kind}/${change.name}`}>
          <Text size="sm" className="wrap">
            <b>
              {change.kind} {change.name}
            </b>{" "}
            {words.change[change.change]}
          </Text>
          {change.danger != null && (
            <Text size="sm" className="stage-failed">
              {change.danger}
            </Text>
          )}
          {change.diff.length > 0 && <Diff lines={change.diff} label={`${change.kind} ${change.name}`} />}
        </section>
      ))}
      <Text size="sm" fw={600}>
        {words.machines(plan.machines)}
      </Text>
      {(plan.hidden ?? 0) > 0 && <Text size="sm">{words.hidden(plan.hidden ?? 0)}</Text>}
      {plan.boots.map((boot, index) => (
        <BootDiff key={index} boot={boot} />
      ))}
      {plan.provision.length > 0 && (
        <Text size="sm" fw={600}>
          {words.provision}
        </Text>
      )}
      {plan.provision.map((boot, index) => (
        <BootDiff key={index} boot={boot} />
      ))}
      {plan.warnings !== undefined && plan.warnings.length > 0 && (
        <>
          <Text size="sm" fw={600}>
            {words.warnings}
          </Text>
          <ul className="list">
            {plan.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function BootDiff({ boot }: { boot: BootChange }) {
  return (
    <section>
      <Text size="sm" className="wrap">
        {boot.machines.slice(0, NAMES).map((name, index) => (
          <span key={name}>
            {index > 0 && ", "}
            <Link to="/machines/$name" params={{ name }}>
              {name}
            </Link>
          </span>
        ))}
        {boot.machines.length > NAMES && ` ${machines.dialog.more(boot.machines.length - NAMES)}`}
      </Text>
      {boot.before !== boot.after && <Diff label={words.differs} lines={[`-${boot.before}`, `+${boot.after}`]} />}
      {boot.parts.map((part) => (
        <div key={part.part}>
          <Text size="xs" className="dim">
            {part.part}
          </Text>
          <Diff label={part.part} lines={part.diff} />
        </div>
      ))}
    </section>
  );
}
