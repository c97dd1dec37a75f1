import { Alert, Button, Group, Text } from "@mantine/core";
import { diff } from "../logic/diff";
import { resources as words } from "../words/pages";
import { Diff } from "./Diff";

/** Two edit the same: what the other saved meanwhile, and whose text to go on with. Neither is lost without a word. */
export function Theirs({
  revision,
  began,
  theirs,
  take,
  goOn,
}: {
  revision: number;
  /** What this editor began with, and what is there now, as text. */
  began: string;
  theirs: string;
  take: () => void;
  goOn: () => void;
}) {
  return (
    <Alert color="yellow" mb="sm" role="alert" title={words.changedMeanwhile(revision)}>
      <Text size="sm">{words.theirsDiff}</Text>
      <Diff label={words.theirsDiff} lines={diff(began, theirs)} />
      <Group gap="xs">
        <Button size="xs" variant="default" onClick={take}>
          {words.theirs}
        </Button>
        <Button size="xs" variant="default" onClick={goOn}>
          {words.mine}
        </Button>
      </Group>
    </Alert>
  );
}
