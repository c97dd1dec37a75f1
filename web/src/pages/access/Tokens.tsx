import { Alert, Button, Group, Modal, MultiSelect, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { client, data, type Kind, type Token } from "../../api/client";
import { tokensQuery } from "../../api/queries";
import { ActionButton, useRoleReason } from "../../parts/Actions";
import { Snippet } from "../../parts/Page";
import { Ago, Moment } from "../../parts/Time";
import { ErrorBox, Loaded, Waiting } from "../../parts/Trouble";
import { common } from "../../words/common";
import { access as words } from "../../words/pages";
import { shell } from "../../words/shell";
import { RoleSelect } from "./Users";

const KINDS: readonly Kind[] = ["Machine", "Profile", "Group", "Image", "Subnet", "Firmware"];
const DAYS = [1, 30, 90, 365];

export function Tokens() {
  const query = useQuery(tokensQuery);
  const role = useRoleReason("admin");
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<Token>();
  return (
    <>
      <div className="above">
        <ActionButton label={words.create} reason={role} onClick={() => setMaking(true)} />
      </div>
      <Loaded query={query} what={common.reading(words.reading)}>
        {(tokens) => (
          <div className="scroll" tabIndex={0} role="region" aria-label={words.table}>
            <table className="plain">
              <caption className="unseen">{words.table}</caption>
              <thead>
                <tr>
                  {[words.name, words.role, words.scope, words.created, words.expires, words.used, words.end].map(
                    (title) => (
                      <th key={title} scope="col">
                        {title}
                      </th>
                    ),
                  )}
                </tr>
              </thead>
              <tbody>
                {tokens.map((token) => (
                  <tr key={token.name}>
                    <th scope="row">{token.name}</th>
                    <td>{token.role}</td>
                    <td>{scope(token)}</td>
                    <td>
                      <Ago at={token.created} />
                    </td>
                    <td>{token.expires == null ? words.forever : <Moment at={token.expires} />}</td>
                    <td>
                      <Ago at={token.used} />
                    </td>
                    <td>
                      <Button
                        size="compact-xs"
                        variant="default"
                        aria-label={`${words.end} ${token.name}`}
                        onClick={() => setEnding(token)}
                      >
                        {words.end}
                      </Button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
      {making && <Make close={() => setMaking(false)} />}
      {ending !== undefined && <End token={ending} close={() => setEnding(undefined)} />}
    </>
  );
}

function scope(token: Token): string {
  const parts = [token.scope?.verbs?.join(", "), token.scope?.kinds?.join(", "), token.scope?.selector].filter(Boolean);
  return parts.length === 0 ? words.everything : parts.join("; ");
}

function Make({ close }: { close: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [kinds, setKinds] = useState<string[]>([]);
  const [selector, setSelector] = useState("");
  const [days, setDays] = useState<string | null>("90");
  const make = useMutation({
    mutationFn: () => {
      const expires = days === null ? null : new Date(Date.now() + Number(days) * 86_400_000).toISOString();
      const limits = {
        ...(kinds.length > 0 ? { kinds: kinds as Kind[] } : {}),
        ...(selector.trim() === "" ? {} : { selector: selector.trim() }),
      };
      return data(
        client.POST("/api/v1/tokens", {
          body: { name: name.trim(), role, expires, ...(Object.keys(limits).length > 0 ? { scope: limits } : {}) },
        }),
      );
    },
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["resources", "tokens"] }),
  });
  return (
    <Modal opened onClose={close} title={words.create} closeButtonProps={{ "aria-label": shell.close }}>
      {make.data !== undefined ? (
        <Stack gap="sm">
          <Alert color="yellow" title={words.once} role="status" />
          <Snippet label={words.name} text={make.data.token} />
          <Button size="xs" variant="default" onClick={close}>
            {shell.close}
          </Button>
        </Stack>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            make.mutate();
          }}
        >
          <Stack gap="sm">
            <TextInput
              label={words.name}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              required
              maxLength={63}
              data-autofocus
            />
            <RoleSelect value={role} onChange={setRole} />
            <MultiSelect
              label={words.kinds}
              description={words.kindsHint}
              value={kinds}
              onChange={setKinds}
              data={[...KINDS]}
            />
            <TextInput
              label={words.selector}
              description={words.selectorHint}
              value={selector}
              onChange={(event) => setSelector(event.currentTarget.value)}
            />
            <Select
              label={words.days}
              placeholder={words.forever}
              clearable
              value={days}
              onChange={setDays}
              data={DAYS.map((n) => ({ value: String(n), label: words.inDays(n) }))}
            />
            {make.isError && <ErrorBox error={make.error} />}
            {make.isPending && <Waiting what={words.making} />}
            <Group justify="flex-end">
              <Button size="xs" variant="default" onClick={close}>
                {shell.cancel}
              </Button>
              <Button size="xs" type="submit" disabled={name.trim() === "" || make.isPending}>
                {words.create}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

function End({ token, close }: { token: Token; close: () => void }) {
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => data(client.DELETE("/api/v1/tokens/{name}", { params: { path: { name: token.name } } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["resources", "tokens"] });
      close();
    },
  });
  return (
    <Modal opened onClose={close} title={words.endTitle(token.name)} closeButtonProps={{ "aria-label": shell.close }}>
      <Stack gap="sm">
        <Text size="sm">{words.endText}</Text>
        {end.isError && <ErrorBox error={end.error} />}
        {end.isPending && <Waiting what={words.ending} />}
        <Group justify="flex-end">
          <Button size="xs" variant="default" onClick={close} data-autofocus>
            {shell.cancel}
          </Button>
          <Button size="xs" color="red" disabled={end.isPending} onClick={() => end.mutate()}>
            {words.end}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
