/** What differs between two texts, line by line, with some lines around each difference. */

const AROUND = 3;
/** Beyond this many lines in both differing parts no longest common subsequence is looked for. */
const MOST = 4_000_000;

/** Lines with ` `, `-` or `+` in front, and `@@` where lines are left out. Nothing, if the texts are the same. */
export function diff(before: string, after: string): string[] {
  if (before === after) return [];
  const a = lines(before);
  const b = lines(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  const edits = [
    ...a.slice(0, head).map((line) => ` ${line}`),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map((line) => ` ${line}`),
  ];
  return folded(edits);
}

const lines = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

function middle(a: readonly string[], b: readonly string[]): string[] {
  const removed = a.map((line) => `-${line}`);
  const added = b.map((line) => `+${line}`);
  if (a.length === 0 || b.length === 0 || a.length * b.length > MOST) return [...removed, ...added];
  // How long the longest common subsequence of what is left of both is.
  const width = b.length + 1;
  const length = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => length[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      edits.push(` ${a[i] ?? ""}`);
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) {
      edits.push(removed[i] ?? "");
      i += 1;
    } else {
      edits.push(added[j] ?? "");
      j += 1;
    }
  }
  return edits;
}

function folded(edits: readonly string[]): string[] {
  const near = new Uint8Array(edits.length);
  edits.forEach((edit, index) => {
    if (!edit.startsWith(" ")) near.fill(1, Math.max(0, index - AROUND), index + AROUND + 1);
  });
  return edits.flatMap((edit, index) =>
    near[index] === 1 ? [edit] : near[index - 1] === 1 || index === 0 ? ["@@"] : [],
  );
}
