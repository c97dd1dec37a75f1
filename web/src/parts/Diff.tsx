/** Lines of a difference: `+`, `-` and `@@` are there as signs too. */
export function Diff({ lines, label }: { lines: readonly string[]; label: string }) {
  return (
    <div className="diff" role="region" aria-label={label} tabIndex={0}>
      {lines.map((line, index) => (
        <div
          key={index}
          className={
            line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : line.startsWith("@@") ? "at" : undefined
          }
        >
          {line === "" ? " " : line}
        </div>
      ))}
    </div>
  );
}
