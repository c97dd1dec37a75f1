import { Checkbox, Group, PasswordInput, Select, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, data, type Scope, type User } from "../../api/client";
import { rolesQuery, usersQuery } from "../../api/more";
import { useForbidden } from "../../api/rights";
import { ActionButton } from "../../parts/Actions";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
import { Sending } from "../../parts/Sending";
import { Ago } from "../../parts/Time";
import { Empty, Loaded } from "../../parts/Trouble";
import { people as words } from "../../words/access";
import { common } from "../../words/common";
import { access } from "../../words/pages";

const SHORTEST = 12;

type Doing = { what: "create" } | { what: "change" | "reset" | "remove"; user: User };

export function Users() {
  const query = useQuery(usersQuery);
  const forbidden = useForbidden();
  const [doing, setDoing] = useState<Doing>();
  const close = () => setDoing(undefined);
  const columns: readonly PlainColumn<User>[] = [
    { title: words.name, names: true, cell: (user) => user.name },
    { title: words.role, cell: (user) => user.role },
    { title: access.scope, cell: (user) => scopeOf(user.scope) },
    {
      title: words.state,
      className: (user) => (user.disabled ? "stage-failed" : undefined),
      cell: (user) => (user.disabled ? words.no : words.yes),
    },
    { title: words.signedIn, cell: (user) => <Ago at={user.signed_in} /> },
    { title: words.created, cell: (user) => <Ago at={user.created} /> },
    {
      title: words.change,
      cell: (user) => (
        <Group gap={6} wrap="nowrap">
          {(["change", "reset", "remove"] as const).map((what) => (
            <ActionButton
              key={what}
              small
              label={words[what]}
              name={words[`${what}Of`](user.name)}
              reason={forbidden(what === "remove" ? "delete" : "write", "User")}
              onClick={() => setDoing({ what, user })}
            />
          ))}
        </Group>
      ),
    },
  ];
  return (
    <>
      <div className="above">
        <ActionButton
          label={words.create}
          reason={forbidden("write", "User")}
          onClick={() => setDoing({ what: "create" })}
        />
      </div>
      <Loaded query={query} what={common.reading(words.reading)}>
        {(users) =>
          users.length === 0 ? (
            <Empty title={words.none}>{words.noneHint}</Empty>
          ) : (
            <PlainTable label={words.table} rows={users} columns={columns} id={(user) => user.name} />
          )
        }
      </Loaded>
      {doing?.what === "create" && <Create close={close} />}
      {doing?.what === "change" && <Change user={doing.user} close={close} />}
      {doing?.what === "reset" && <Reset user={doing.user} close={close} />}
      {doing?.what === "remove" && <Remove user={doing.user} close={close} />}
    </>
  );
}

/** What the scope of a token or a user leaves of its role. */
export function scopeOf(scope: Scope | null | undefined): string {
  const parts = [scope?.verbs?.join(", "), scope?.kinds?.join(", "), scope?.selector].filter(Boolean);
  return parts.join("; ") || access.everything;
}

/** The roles that are built in, and those that were declared. */
export function RoleSelect({ value, onChange }: { value: string; onChange: (role: string) => void }) {
  const declared = useQuery(rolesQuery).data?.map((one) => one.name) ?? [];
  const builtIn = Object.keys(access.roles) as (keyof typeof access.roles)[];
  const data = [
    ...builtIn.map((one) => ({ value: one, label: `${one}: ${access.roles[one]}` })),
    ...declared.filter((one) => !builtIn.some((known) => known === one)).map((one) => ({ value: one, label: one })),
  ];
  return (
    <Select
      label={words.role}
      allowDeselect={false}
      value={value}
      data={data}
      onChange={(chosen) => onChange(chosen ?? "viewer")}
    />
  );
}

function Create({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState("viewer");
  return (
    <Sending
      title={words.create}
      submit={words.create}
      doing={words.making}
      ready={name.trim() !== "" && password.length >= SHORTEST}
      send={() => data(client.POST("/api/v1/users", { body: { name: name.trim(), password, role } }))}
      close={close}
    >
      <TextInput
        label={words.name}
        description={words.nameHint}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        maxLength={63}
        autoComplete="off"
        required
        data-autofocus
      />
      <Password value={password} onChange={setPassword} />
      <RoleSelect value={role} onChange={setRole} />
    </Sending>
  );
}

function Password({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  return (
    <PasswordInput
      label={words.password}
      description={words.passwordHint}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      autoComplete="new-password"
      required
    />
  );
}

function Change({ user, close }: { user: User; close: () => void }) {
  const [role, setRole] = useState(user.role);
  const [disabled, setDisabled] = useState(user.disabled);
  const scope = user.scope === undefined ? {} : { scope: user.scope };
  return (
    <Sending
      title={words.changeOf(user.name)}
      submit={words.save}
      doing={words.saving}
      send={() =>
        data(
          client.PUT("/api/v1/users/{name}", {
            params: { path: { name: user.name } },
            body: { role, disabled, ...scope },
          }),
        )
      }
      close={close}
    >
      <Text size="sm">{words.changeText}</Text>
      <RoleSelect value={role} onChange={setRole} />
      <Checkbox
        label={words.disabled}
        checked={disabled}
        onChange={(event) => setDisabled(event.currentTarget.checked)}
      />
    </Sending>
  );
}

function Reset({ user, close }: { user: User; close: () => void }) {
  const [password, setPassword] = useState("");
  return (
    <Sending
      title={words.resetOf(user.name)}
      submit={words.save}
      doing={words.saving}
      ready={password.length >= SHORTEST}
      send={() =>
        data(client.PUT("/api/v1/users/{name}/password", { params: { path: { name: user.name } }, body: { password } }))
      }
      close={close}
    >
      <Text size="sm">{words.changeText}</Text>
      <Password value={password} onChange={setPassword} />
    </Sending>
  );
}

function Remove({ user, close }: { user: User; close: () => void }) {
  return (
    <Sending
      title={words.removeOf(user.name)}
      submit={words.remove}
      doing={words.saving}
      danger
      send={() => data(client.DELETE("/api/v1/users/{name}", { params: { path: { name: user.name } } }))}
      close={close}
    >
      <Text size="sm">{words.removeText}</Text>
    </Sending>
  );
}
