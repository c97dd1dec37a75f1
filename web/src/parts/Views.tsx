import { Button, Group, Menu, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState, useSyncExternalStore } from "react";
import { parts, views, withView } from "../logic/views";
import { views as words } from "../words/operations";
import { shell } from "../words/shell";
import { Icon } from "./Icon";

/** Views of the machines that somebody gave a name: to open, to save, to forget. */
export function Views({ search }: { search: object }) {
  const all = useSyncExternalStore(views.subscribe, views.all);
  const navigate = useNavigate();
  const [saving, setSaving] = useState(false);
  return (
    <>
      <Menu position="bottom-end" width={280}>
        <Menu.Target>
          <Button size="xs" variant="default">
            {words.button}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {all.length === 0 && <Menu.Label>{words.none}</Menu.Label>}
          {all.map((view) => (
            <Menu.Item
              key={view.name}
              className="wrap"
              onClick={() => void navigate({ to: "/machines", search: view.search })}
            >
              {view.name}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item leftSection={<Icon name="check" />} onClick={() => setSaving(true)}>
            {words.save}
          </Menu.Item>
          {all.map((view) => (
            <Menu.Item
              key={view.name}
              className="wrap"
              leftSection={<Icon name="cross" />}
              onClick={() => views.put(all.filter((other) => other.name !== view.name))}
            >
              {words.remove(view.name)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {saving && <Save search={search} close={() => setSaving(false)} />}
    </>
  );
}

function Save({ search, close }: { search: object; close: () => void }) {
  const all = useSyncExternalStore(views.subscribe, views.all);
  const [name, setName] = useState("");
  const wanted = name.trim();
  return (
    <Modal opened onClose={close} title={words.title} closeButtonProps={{ "aria-label": shell.close }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (wanted === "") return;
          views.put(withView(all, { name: wanted, search: parts(search) }));
          close();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label={words.name}
            description={words.nameHint}
            value={name}
            maxLength={80}
            onChange={(event) => setName(event.currentTarget.value)}
            data-autofocus
          />
          <Text size="xs" className="dim wrap">
            {new URLSearchParams(parts(search)).toString() || "—"}
          </Text>
          {all.some((view) => view.name === wanted) && <Text size="sm">{words.taken}</Text>}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" size="xs" onClick={close}>
              {shell.cancel}
            </Button>
            <Button type="submit" size="xs" disabled={wanted === ""}>
              {words.save}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
