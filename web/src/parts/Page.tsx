import { Button, Code, CopyButton, Drawer, Group, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect, useState } from "react";
import { curl, type Call } from "../logic/code";
import { shell } from "../words/shell";
import { Icon } from "./Icon";

/** A page: its title, what can be done there, and the same as code. */
export function Page({
  title,
  aside,
  calls,
  children,
}: {
  title: string;
  aside?: ReactNode;
  calls: readonly Call[];
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · ${shell.name}`;
  }, [title]);
  return (
    <Stack gap="sm" className="page">
      <Group justify="space-between" gap="xs" className="pagehead">
        <Title order={1} size="h3" className="wrap">
          {title}
        </Title>
        <Group gap="xs">
          {aside}
          <AsCode calls={calls} />
        </Group>
      </Group>
      {children}
    </Stack>
  );
}

function AsCode({ calls }: { calls: readonly Call[] }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant="default" size="xs" leftSection={<Icon name="code" />} onClick={() => setOpen(true)}>
        {shell.code.button}
      </Button>
      <Drawer
        opened={open}
        onClose={() => setOpen(false)}
        position="right"
        size="lg"
        title={shell.code.title}
        closeButtonProps={{ "aria-label": shell.close }}
      >
        <Stack gap="md">
          <Text size="sm">{shell.code.intro}</Text>
          {calls.map((call) => (
            <section key={call.what}>
              <Text fw={600} size="sm">
                {call.what}
              </Text>
              <Snippet label={`${shell.code.curl}: ${call.what}`} text={curl(call)} />
              {call.cli !== undefined && <Snippet label={`${shell.code.cli}: ${call.what}`} text={call.cli} />}
            </section>
          ))}
          <Text size="xs" className="dim">
            {shell.code.preparation}
          </Text>
        </Stack>
      </Drawer>
    </>
  );
}

export function Snippet({ label, text }: { label: string; text: string }) {
  return (
    <div className="snippet">
      <Code block tabIndex={0} role="region" aria-label={label}>
        {text}
      </Code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button size="compact-xs" variant="default" onClick={copy}>
            {copied ? shell.code.copied : shell.code.copy}
          </Button>
        )}
      </CopyButton>
    </div>
  );
}
