/** JSON as lines, each with the path of the value that is on it, as the API writes paths: `storage.files[0].mode`. */

export interface JsonLine {
  text: string;
  path: string | undefined;
}

export function jsonLines(value: unknown): JsonLine[] {
  const lines: JsonLine[] = [];
  write(value, "", "", "", "", lines);
  return lines;
}

function write(value: unknown, path: string, indent: string, before: string, after: string, lines: JsonLine[]): void {
  const add = (text: string, own?: string) => lines.push({ text, path: own });
  if (Array.isArray(value) && value.length > 0) {
    add(`${indent}${before}[`);
    value.forEach((item, index) =>
      write(item, `${path}[${index}]`, `${indent}  `, "", index < value.length - 1 ? "," : "", lines),
    );
    add(`${indent}]${after}`);
  } else if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
    add(`${indent}${before}{`);
    const entries = Object.entries(value);
    entries.forEach(([key, item], index) =>
      write(
        item,
        path === "" ? key : `${path}.${key}`,
        `${indent}  `,
        `${JSON.stringify(key)}: `,
        index < entries.length - 1 ? "," : "",
        lines,
      ),
    );
    add(`${indent}}${after}`);
  } else {
    add(`${indent}${before}${JSON.stringify(value)}${after}`, path);
  }
}
