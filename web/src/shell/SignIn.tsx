import { Anchor, Button, Card, Divider, Modal, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { type SyntheticEvent, useEffect, useState } from "react";
import { hasSignInPage, signIn } from "../api/session";
import { shell } from "../words/shell";

/** Where nobody is signed in: a page, or (`resume`) a dialog over the page that somebody was on. */
export function SignIn({ resume = false }: { resume?: boolean }) {
  if (!resume) {
    return (
      <Card withBorder padding="lg" className="signin">
        <Form resume={false} />
      </Card>
    );
  }
  return (
    <Modal opened onClose={() => undefined} withCloseButton={false} title={shell.signIn.title} centered>
      <Form resume />
    </Modal>
  );
}

function Form({ resume }: { resume: boolean }) {
  const [token, setToken] = useState("");
  const [wrong, setWrong] = useState<string>();
  const [checking, setChecking] = useState(false);
  const [page, setPage] = useState(false);
  useEffect(() => {
    void hasSignInPage().then(setPage);
    if (!resume) return;
    // Whoever signed in in another tab comes back to this one.
    const look = () => void signIn();
    window.addEventListener("focus", look);
    return () => window.removeEventListener("focus", look);
  }, [resume]);
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    setChecking(true);
    void signIn(token.trim())
      .then(setWrong, (error: unknown) => setWrong(String(error)))
      .finally(() => setChecking(false));
  };
  const next = encodeURIComponent(location.pathname + location.search);
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        {resume ? (
          <Text size="sm">{shell.signIn.resume}</Text>
        ) : (
          <Title order={1} size="h3">
            {shell.name}
          </Title>
        )}
        {page && (
          <>
            <Anchor href={`/sign-in?next=${next}`} {...(resume ? { target: "_blank" } : {})}>
              {shell.signIn.page}
            </Anchor>
            <Divider label={shell.signIn.or} />
          </>
        )}
        <PasswordInput
          label={shell.signIn.token}
          description={shell.signIn.hint}
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
          error={wrong}
          autoComplete="off"
          autoFocus
          data-autofocus
        />
        <Button type="submit" disabled={token.trim() === "" || checking}>
          {checking ? shell.signIn.checking : shell.signIn.submit}
        </Button>
      </Stack>
    </form>
  );
}
