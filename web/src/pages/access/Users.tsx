import { Button, Checkbox, Group, Modal, PasswordInput, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { client, data, type User } from "../../api/client";
import { rolesQuery, usersQuery } from "../../api/more";
import { ActionButton, useRoleReason } from "../../parts/Actions";
import { Ago } from "../../parts/Time";
import { Empty, ErrorBox, Loaded, Waiting } from "../../parts/Trouble";
import { people as words } from "../../words/access";
import { common } from "../../words/common";
import { access } from "../../words/pages";
import { shell } from "../../words/shell";

const SHORTEST = 12;

type Doing = { what: "create" } | { what: "change" | "reset" | "remove"; user: User };

export function Users() {
  const query = useQuery(usersQuery);
  const role = useRoleReason("admin");
  const [doing, setDoing] = useState<Doing>();
  const close = () => setDoing(undefined);
  return (
    <>
      <div className="above">
        <ActionButton label={words.create} reason={role} onClick={() => setDoing({ what: "create" })} />
      </div>
      <Loaded query={query} what={common.reading(words.reading)}>
        {(users) =>
          users.length === 0 ? (
            <Empty title={words.none}>{words.noneHint}</Empty>
          ) : (
            <div className="scroll" tabIndex={0} role="region" aria-label={words.table}>
              <table className="plain">
                <caption className="unseen">{words.table}</caption>
                <thead>
                  <tr>
                    {[
                      words.name,
                      words.role,
                      access.scope,
                      words.state,
                      words.signedIn,
                      words.created,
                      words.change,
                    ].map((title) => (
                      <th key={title} scope="col">
                        {title}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {users.map((user) => (
                    <tr key={user.name}>
                      <th scope="row">{user.name}</th>
                      <td>{user.role}</td>
                      <td>
                        {[user.scope?.verbs?.join(", "), user.scope?.kinds?.join(", "), user.scope?.selector]
                          .filter(Boolean)
                          .join("; ") || access.everything}
                      </td>
                      <td className={user.disabled ? "stage-failed" : undefined}>
                        {user.disabled ? words.no : words.yes}
                      </td>
                      <td>
                        <Ago at={user.signed_in} />
                      </td>
                      <td>
                        <Ago at={user.created} />
                      </td>
                      <td>
                        <Group gap={6} wrap="nowrap">
                          {(["change", "reset", "remove"] as const).map((what) => (
                            <Button
                              key={what}
                              size="compact-xs"
                              variant="default"
                              aria-label={words[`${what}Of`](user.name)}
                              onClick={() => setDoing({ what, user })}
                            >
                              {words[what]}
                            </Button>
                          ))}
                        </Group>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
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

/** A dialog that sends something, says that it does, and closes once that is done. */
export function Sending({
  title,
  submit,
  doing,
  ready = true,
  danger = false,
  send,
  close,
  children,
}: {
  title: string;
  submit: string;
  doing: string;
  ready?: boolean;
  danger?: boolean;
  send: () => Promise<unknown>;
  close: () => void;
  children: ReactNode;
}) {
  const queries = useQueryClient();
  const sending = useMutation({
    mutationFn: send,
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["resources"] });
      close();
    },
  });
  return (
    <Modal opened onClose={close} title={title} size="lg" closeButtonProps={{ "aria-label": shell.close }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          sending.mutate();
        }}
      >
        <Stack gap="sm">
          {children}
          {sending.isError && <ErrorBox error={sending.error} />}
          {sending.isPending && <Waiting what={doing} />}
          <Group justify="flex-end">
            <Button size="xs" variant="default" onClick={close}>
              {shell.cancel}
            </Button>
            <Button
              size="xs"
              type="submit"
              {...(danger ? { color: "red" } : {})}
              disabled={!ready || sending.isPending}
            >
              {submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
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
