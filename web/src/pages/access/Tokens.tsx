import { Alert, Button, Group, Modal, MultiSelect, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { client, data, type Kind, type Token } from "../../api/client";
import { tokensQuery } from "../../api/queries";
import { useForbidden } from "../../api/rights";
import { ActionButton } from "../../parts/Actions";
import { Snippet } from "../../parts/Page";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
import { Sending } from "../../parts/Sending";
import { Ago, Moment } from "../../parts/Time";
import { ErrorBox, Loaded, Waiting } from "../../parts/Trouble";
import { common } from "../../words/common";
import { access as words } from "../../words/pages";
import { shell } from "../../words/shell";
import { RoleSelect, scopeOf } from "./Users";

const KINDS: readonly Kind[] = ["Machine", "Profile", "Group", "Image", "Subnet", "Firmware"];
const DAYS = [1, 30, 90, 365];

export function Tokens() {
  const query = useQuery(tokensQuery);
  const forbidden = useForbidden();
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<Token>();
  const columns: readonly PlainColumn<Token>[] = [
    { title: words.name, names: true, cell: (token) => token.name },
    { title: words.role, cell: (token) => token.role },
    { title: words.scope, cell: (token) => scopeOf(token.scope) },
    { title: words.created, cell: (token) => <Ago at={token.created} /> },
    {
      title: words.expires,
      cell: (token) => (token.expires == null ? words.forever : <Moment at={token.expires} />),
    },
    { title: words.used, cell: (token) => <Ago at={token.used} /> },
    {
      title: words.end,
      cell: (token) => (
        <ActionButton
          small
          label={words.end}
          name={`${words.end} ${token.name}`}
          reason={forbidden("delete", "Token")}
          onClick={() => setEnding(token)}
        />
      ),
    },
  ];
  return (
    <>
      <div className="above">
        <ActionButton label={words.create} reason={forbidden("write", "Token")} onClick={() => setMaking(true)} />
      </div>
      <Loaded query={query} what={common.reading(words.reading)}>
        {(tokens) => <PlainTable label={words.table} rows={tokens} columns={columns} id={(token) => token.name} />}
      </Loaded>
      {making && <Make close={() => setMaking(false)} />}
      {ending !== undefined && (
        <Sending
          title={words.endTitle(ending.name)}
          submit={words.end}
          doing={words.ending}
          danger
          send={() => data(client.DELETE("/api/v1/tokens/{name}", { params: { path: { name: ending.name } } }))}
          close={() => setEnding(undefined)}
        >
          <Text size="sm">{words.endText}</Text>
        </Sending>
      )}
    </>
  );
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
