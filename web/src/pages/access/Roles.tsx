import { Button, MultiSelect, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Role, type RoleRule, sendTo } from "../../api/client";
import { rolesQuery } from "../../api/more";
import { ActionButton, useRoleReason } from "../../parts/Actions";
import { Icon } from "../../parts/Icon";
import { Loaded } from "../../parts/Trouble";
import { roles as words } from "../../words/access";
import { common } from "../../words/common";
import { Sending } from "./Users";

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
  const reason = useRoleReason("admin");
  const [editing, setEditing] = useState<Role | "new">();
  const [removing, setRemoving] = useState<Role>();
  return (
    <>
      <div className="above">
        <ActionButton label={words.create} reason={reason} onClick={() => setEditing("new")} />
      </div>
      <Loaded query={query} what={common.reading(words.reading)}>
        {(roles) => (
          <div className="scroll" tabIndex={0} role="region" aria-label={words.table}>
            <table className="plain">
              <caption className="unseen">{words.table}</caption>
              <thead>
                <tr>
                  {[words.name, words.description, words.rules, words.edit].map((title) => (
                    <th key={title} scope="col">
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {roles.map((role) => (
                  <tr key={role.name}>
                    <th scope="row">
                      {role.name} {role.revision === 0 && <span className="tag">{words.builtIn}</span>}
                    </th>
                    <td>{role.spec.description}</td>
                    <td>
                      <ul className="bare">
                        {role.spec.rules.map((rule, index) => (
                          <li key={index}>
                            <code>{rule.verbs.join(", ")}</code>{" "}
                            <span className="dim">{words.kinds.toLowerCase()}</span>{" "}
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
                    </td>
                    <td className="nowrap">
                      {role.revision === 0 ? (
                        <span className="dim">{common.none}</span>
                      ) : (
                        <>
                          <Button
                            size="compact-xs"
                            variant="default"
                            aria-label={words.editOf(role.name)}
                            onClick={() => setEditing(role)}
                          >
                            {words.edit}
                          </Button>{" "}
                          <Button
                            size="compact-xs"
                            variant="default"
                            aria-label={words.removeOf(role.name)}
                            onClick={() => setRemoving(role)}
                          >
                            {words.remove}
                          </Button>
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
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

/** The rules of a role, one after the other. Two who edit the same one meet: the later is refused, with what is there by then. */
function Edit({ role, close }: { role: Role | undefined; close: () => void }) {
  const [name, setName] = useState(role?.name ?? "");
  const [description, setDescription] = useState(role?.spec.description ?? "");
  const [rules, setRules] = useState<RoleRule[]>(role?.spec.rules ?? [EMPTY]);
  const change = (at: number, to: Partial<RoleRule>) =>
    setRules((before) => before.map((rule, index) => (index === at ? { ...rule, ...to } : rule)));
  const spec = {
    rules: rules.map(({ selector, ...rule }) => (selector?.trim() ? { ...rule, selector: selector.trim() } : rule)),
    ...(description.trim() === "" ? {} : { description: description.trim() }),
  };
  const expected: Record<string, string> =
    role === undefined ? { "if-none-match": "*" } : { "if-match": `"${role.revision}"` };
  const any = { value: ANY, label: words.any };
  return (
    <Sending
      title={role === undefined ? words.create : words.editOf(role.name)}
      submit={words.save}
      doing={words.saving}
      ready={name.trim() !== "" && rules.every((rule) => rule.verbs.length > 0 && rule.kinds.length > 0)}
      send={() =>
        sendTo("PUT", `roles/${encodeURIComponent(name.trim())}`, { labels: role?.labels ?? {}, spec }, expected)
      }
      close={close}
    >
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
