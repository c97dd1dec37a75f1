import { Button, Group, MultiSelect, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Refused, type Role, type RoleRule, sendTo } from "../../api/client";
import { rolesQuery } from "../../api/more";
import { useForbidden } from "../../api/rights";
import { ActionButton } from "../../parts/Actions";
import { Icon } from "../../parts/Icon";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
import { Sending } from "../../parts/Sending";
import { Theirs } from "../../parts/Theirs";
import { Loaded } from "../../parts/Trouble";
import { roles as words } from "../../words/access";
import { common } from "../../words/common";

const VERBS = ["get", "write", "delete", "deliver", "accept", "provision", "hold", "release", "power", "retire"];
const KINDS = [
  "Machine",
  "Profile",
  "Group",
  "Image",
  "Subnet",
  "Firmware",
  "HardwareClass",
  "ExpectedMachine",
  "AcceptRule",
  "Webhook",
  "Role",
  "Token",
  "User",
  "Audit",
  "Site",
];
const ANY = "*";
const EMPTY: RoleRule = { verbs: ["get"], kinds: ["Machine"] };

export function Roles() {
  const query = useQuery(rolesQuery);
  const forbidden = useForbidden();
  const [editing, setEditing] = useState<Role | "new">();
  const [removing, setRemoving] = useState<Role>();
  const columns: readonly PlainColumn<Role>[] = [
    {
      title: words.name,
      names: true,
      cell: (role) => (
        <>
          {role.name} {role.revision === 0 && <span className="tag">{words.builtIn}</span>}
        </>
      ),
    },
    { title: words.description, cell: (role) => role.spec.description },
    { title: words.rules, cell: (role) => <Rules rules={role.spec.rules} /> },
    {
      title: words.edit,
      className: "nowrap",
      cell: (role) =>
        role.revision === 0 ? (
          <span className="dim">{common.none}</span>
        ) : (
          <Group gap={6} wrap="nowrap">
            <ActionButton
              small
              label={words.edit}
              name={words.editOf(role.name)}
              reason={forbidden("write", "Role")}
              onClick={() => setEditing(role)}
            />
            <ActionButton
              small
              label={words.remove}
              name={words.removeOf(role.name)}
              reason={forbidden("delete", "Role")}
              onClick={() => setRemoving(role)}
            />
          </Group>
        ),
    },
  ];
  return (
    <>
      <div className="above">
        <ActionButton label={words.create} reason={forbidden("write", "Role")} onClick={() => setEditing("new")} />
      </div>
      <Loaded query={query} what={common.reading(words.reading)}>
        {(roles) => <PlainTable label={words.table} rows={roles} columns={columns} id={(role) => role.name} />}
      </Loaded>
      <Text size="sm" className="dim" mt="xs">
        {words.fixed}
      </Text>
      {editing !== undefined && (
        <Edit role={editing === "new" ? undefined : editing} close={() => setEditing(undefined)} />
      )}
      {removing !== undefined && (
        <Sending
          title={words.removeOf(removing.name)}
          submit={words.remove}
          doing={words.removing}
          danger
          send={() => sendTo("DELETE", `roles/${encodeURIComponent(removing.name)}`)}
          close={() => setRemoving(undefined)}
        >
          <Text size="sm">{words.removeText}</Text>
        </Sending>
      )}
    </>
  );
}

function Rules({ rules }: { rules: readonly RoleRule[] }) {
  return (
    <ul className="bare">
      {rules.map((rule, index) => (
        <li key={index}>
          <code>{rule.verbs.join(", ")}</code> <span className="dim">{words.kinds.toLowerCase()}</span>{" "}
          <code>{rule.kinds.join(", ")}</code>
          {rule.selector !== undefined && rule.selector !== "" && (
            <>
              {" "}
              <span className="dim">{words.selector.toLowerCase()}</span> <code>{rule.selector}</code>
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

const json = (spec: object): string => JSON.stringify(spec, null, 2);

/** The specification that a form says: what is empty is not in it. */
const written = (description: string, rules: readonly RoleRule[]): Role["spec"] => ({
  rules: rules.map(({ selector, ...rule }) => (selector?.trim() ? { ...rule, selector: selector.trim() } : rule)),
  ...(description.trim() === "" ? {} : { description: description.trim() }),
});

const said = ({ spec }: Role): string => json(written(spec.description ?? "", spec.rules));

/** The rules of a role, one after the other. Two who edit the same one meet: neither text is lost without a word. */
function Edit({ role, close }: { role: Role | undefined; close: () => void }) {
  const [base, setBase] = useState(role);
  const [name, setName] = useState(role?.name ?? "");
  const [description, setDescription] = useState(role?.spec.description ?? "");
  const [rules, setRules] = useState<RoleRule[]>(role?.spec.rules ?? [EMPTY]);
  const there = useQuery(rolesQuery).data?.find((one) => one.name === role?.name);
  const change = (at: number, to: Partial<RoleRule>) =>
    setRules((before) => before.map((rule, index) => (index === at ? { ...rule, ...to } : rule)));
  const spec = written(description, rules);
  const expected: Record<string, string> =
    base === undefined ? { "if-none-match": "*" } : { "if-match": `"${base.revision}"` };
  const begin = (from: Role) => {
    setBase(from);
    setDescription(from.spec.description ?? "");
    setRules(from.spec.rules);
  };
  const moved = base !== undefined && there !== undefined && there.revision !== base.revision;
  // What was not touched follows what is there.
  if (moved && json(spec) === said(base)) begin(there);
  const any = { value: ANY, label: words.any };
  return (
    <Sending
      title={role === undefined ? words.create : words.editOf(role.name)}
      submit={words.save}
      doing={words.saving}
      ready={name.trim() !== "" && rules.every((rule) => rule.verbs.length > 0 && rule.kinds.length > 0)}
      known={(error) => there !== undefined && error instanceof Refused && error.problem.status === 412}
      send={() =>
        sendTo("PUT", `roles/${encodeURIComponent(name.trim())}`, { labels: base?.labels ?? {}, spec }, expected)
      }
      close={close}
    >
      {moved && (
        <Theirs
          revision={there.revision}
          began={said(base)}
          theirs={said(there)}
          take={() => begin(there)}
          goOn={() => setBase(there)}
        />
      )}
      {role === undefined && (
        <TextInput
          label={words.name}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          maxLength={63}
          required
          data-autofocus
        />
      )}
      <TextInput
        label={words.description}
        description={words.descriptionHint}
        value={description}
        onChange={(event) => setDescription(event.currentTarget.value)}
      />
      {rules.map((rule, index) => (
        <fieldset key={index} className="rule">
          <legend>{words.rule(index + 1)}</legend>
          <MultiSelect
            size="xs"
            label={words.verbs}
            value={rule.verbs}
            data={[...VERBS, any]}
            onChange={(verbs) => change(index, { verbs: verbs as RoleRule["verbs"] })}
          />
          <MultiSelect
            size="xs"
            label={words.kinds}
            value={rule.kinds}
            data={[...KINDS, any]}
            onChange={(kinds) => change(index, { kinds: kinds as RoleRule["kinds"] })}
          />
          <TextInput
            size="xs"
            label={words.selector}
            placeholder={words.selectorHint}
            value={rule.selector ?? ""}
            onChange={(event) => change(index, { selector: event.currentTarget.value })}
          />
          {rules.length > 1 && (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={words.drop(index + 1)}
              onClick={() => setRules((before) => before.filter((_, other) => other !== index))}
            >
              <Icon name="cross" size={12} />
            </Button>
          )}
        </fieldset>
      ))}
      <div>
        <Button size="xs" variant="default" onClick={() => setRules((before) => [...before, EMPTY])}>
          {words.add}
        </Button>
      </div>
      <Text size="xs" className="dim">
        {words.within}
      </Text>
    </Sending>
  );
}
