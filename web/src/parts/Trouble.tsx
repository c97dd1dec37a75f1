/** What went wrong, in words; and what is waited for, in words. */
import { Alert, Button, Group, Loader, Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { Component, type ReactNode } from "react";
import { Refused } from "../api/client";
import { shell } from "../words/shell";

/** An error as one sentence. */
export function said(error: unknown): string {
  if (error instanceof Refused) return error.message;
  if (error instanceof TypeError && /fetch|network/i.test(error.message)) return shell.failed.unreachable;
  return error instanceof Error ? error.message : String(error);
}

export function ErrorBox({
  error,
  again,
  title,
}: {
  error: unknown;
  again?: (() => void) | undefined;
  title?: string;
}) {
  const problem = error instanceof Refused ? error.problem : undefined;
  return (
    <Alert
      color="red"
      variant="light"
      role="alert"
      title={title ?? problem?.title ?? shell.failed.title}
      className="wrap"
    >
      <Text size="sm">{said(error)}</Text>
      {problem?.errors?.map((mistake, index) => (
        <Text size="sm" key={index}>
          <code>{mistake.path}</code>: {mistake.detail}
        </Text>
      ))}
      {problem !== undefined && (
        <Text size="xs" mt={4} className="dim">
          {shell.failed.code(problem.code, problem.request_id)}
        </Text>
      )}
      {again && (
        <Button size="xs" variant="default" mt="xs" onClick={again}>
          {shell.failed.again}
        </Button>
      )}
    </Alert>
  );
}

/** Waits, and says what for. */
export function Waiting({ what }: { what: string }) {
  return (
    <Group gap="xs" role="status" className="waiting">
      <Loader size="xs" aria-hidden="true" />
      <Text size="sm">{what} …</Text>
    </Group>
  );
}

/** What a query brought; until then what it brings, or why it did not. */
export function Loaded<T>({
  query,
  what,
  children,
}: {
  query: UseQueryResult<T>;
  what: string;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && <ErrorBox error={query.error} again={() => void query.refetch()} />}
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <ErrorBox error={query.error} again={() => void query.refetch()} />;
  return <Waiting what={what} />;
}

/** A sentence in which `what is between such marks` is code. */
export function Sentence({ text }: { text: string }) {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}

/** Nothing is there: what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <Text fw={600}>{title}</Text>
      {children !== undefined && (
        <div className="dim">{typeof children === "string" ? <Sentence text={children} /> : children}</div>
      )}
    </div>
  );
}

interface BoundaryState {
  error: unknown;
}

/** A page that fails says so, and leaves the others as they are. */
export class Boundary extends Component<{ children: ReactNode; resetBy?: string }, BoundaryState> {
  override state: BoundaryState = { error: undefined };

  static getDerivedStateFromError(error: unknown): BoundaryState {
    return { error };
  }

  override componentDidUpdate(before: { resetBy?: string }) {
    if (before.resetBy !== this.props.resetBy && this.state.error !== undefined) this.setState({ error: undefined });
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    const missing = error instanceof Error && /dynamically imported module|preload CSS/i.test(error.message);
    return (
      <ErrorBox
        title={shell.failed.page}
        error={missing ? new Error(shell.failed.outdated) : error}
        again={() => (missing ? location.reload() : this.setState({ error: undefined }))}
      />
    );
  }
}
