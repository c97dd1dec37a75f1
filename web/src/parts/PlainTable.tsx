import type { ReactNode } from "react";

export interface PlainColumn<T> {
  title: string;
  cell: (row: T) => ReactNode;
  /** What the row is called: read out with each of its cells. */
  names?: boolean;
  className?: string | ((row: T) => string | undefined);
}

/**
 * A table of few rows, as wide as its text. Where the window is narrow each row is a card, and each cell a line of it with its title: the
 * roles are said, since what is laid out in another way is a table no more to browsers.
 */
export function PlainTable<T>({
  label,
  rows,
  columns,
  id,
}: {
  label: string;
  rows: readonly T[];
  columns: readonly PlainColumn<T>[];
  id: (row: T, index: number) => string | number;
}) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={label}>
      <table className="plain cards" role="table">
        <caption className="unseen">{label}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ title }) => (
              <th key={title} scope="col" role="columnheader">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row, index) => (
            <tr key={id(row, index)} role="row">
              {columns.map(({ title, cell, names = false, className }) => {
                const named = typeof className === "function" ? className(row) : className;
                return names ? (
                  <th key={title} scope="row" role="rowheader" className={named}>
                    {cell(row)}
                  </th>
                ) : (
                  <td key={title} role="cell" data-title={title} className={named}>
                    <div>{cell(row)}</div>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
