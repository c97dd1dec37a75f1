import type { ReactNode } from "react";

export interface PlainColumn<T> {
  title: string;
  cell: (row: T) => ReactNode;
  /** What the row is called: read out with each of its cells. */
  names?: boolean;
  className?: string | ((row: T) => string | undefined);
}

/** A table of few rows, as wide as its text, that scrolls sideways by itself where the window is narrow. */
export function PlainTable<T>({
  label,
  rows,
  columns,
  id,
  fits = false,
}: {
  label: string;
  rows: readonly T[];
  columns: readonly PlainColumn<T>[];
  id: (row: T, index: number) => string | number;
  /** Its columns are few and short: it need not scroll on a phone. */
  fits?: boolean;
}) {
  const table = (
    <table className="plain">
      <caption className="unseen">{label}</caption>
      <thead>
        <tr>
          {columns.map(({ title }) => (
            <th key={title} scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr key={id(row, index)}>
            {columns.map(({ title, cell, names = false, className }) => {
              const named = typeof className === "function" ? className(row) : className;
              return names ? (
                <th key={title} scope="row" className={named}>
                  {cell(row)}
                </th>
              ) : (
                <td key={title} className={named}>
                  {cell(row)}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
  if (fits) return table;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={label}>
      {table}
    </div>
  );
}
