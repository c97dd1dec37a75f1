import { Checkbox, UnstyledButton } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type KeyboardEvent, type ReactNode, useRef } from "react";
import { Icon } from "./Icon";

export interface Column<T> {
  key: string;
  title: string;
  /** In place of the title, where that is more than a word. */
  head?: ReactNode;
  /** As `grid-template-columns` takes it. */
  width: string;
  cell: (row: T) => ReactNode;
  sortable?: boolean;
  /** Numbers stand at the end of their column. */
  end?: boolean;
}

interface Props<T> {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  id: (row: T) => string;
  rowHeight?: number;
  sort?: { key: string; descending: boolean; by: (key: string) => void };
  selection?: {
    selected: ReadonlySet<string>;
    toggle: (id: string) => void;
    toggleAll: () => void;
    rowLabel: (row: T) => string;
    allLabel: string;
  };
}

/** A table of any length: only the rows that are seen are there. Arrow keys go from row to row. */
export function VirtualTable<T>({ label, rows, columns, id, rowHeight = 34, sort, selection }: Props<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const template = `${selection ? "34px " : ""}${columns.map((column) => column.width).join(" ")}`;
  const style = { gridTemplateColumns: template };
  // Head and rows are as wide as each other, and scroll sideways together where that is more than there is.
  const minWidth = [...template.matchAll(/(\d+)px/g)].reduce((sum, match) => sum + Number(match[1]), 0);
  const step = (event: KeyboardEvent<HTMLElement>) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[event.key];
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    if (by === undefined || row === null) return;
    event.preventDefault();
    const next = Math.min(rows.length - 1, Math.max(0, Number(row.dataset.index) + by));
    virtual.scrollToIndex(next);
    // The row is there only after it was scrolled to.
    requestAnimationFrame(() =>
      requestAnimationFrame(() =>
        scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"] a, [data-index="${next}"] input`)?.focus(),
      ),
    );
  };
  // No higher than what is in it, with its head, its borders and what a scroll bar takes.
  const content = { "--content": `${rows.length * rowHeight + 52}px` } as CSSProperties;
  const chosen = selection?.selected.size ?? 0;
  return (
    <div
      className="vtable"
      style={content}
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      ref={scroller}
      onKeyDown={step}
      tabIndex={0}
    >
      <div className="vinner" role="rowgroup" style={{ minWidth }}>
        <div className="vhead" role="row" style={style} aria-rowindex={1}>
          {selection && (
            <div role="columnheader" className="vcell">
              <Checkbox
                size="xs"
                aria-label={selection.allLabel}
                checked={chosen > 0 && chosen === rows.length}
                indeterminate={chosen > 0 && chosen < rows.length}
                onChange={selection.toggleAll}
              />
            </div>
          )}
          {columns.map((column) => {
            const here = sort?.key === column.key;
            return (
              <div
                key={column.key}
                role="columnheader"
                className={column.end === true ? "vcell num" : "vcell"}
                aria-sort={here ? (sort.descending ? "descending" : "ascending") : undefined}
              >
                {sort && column.sortable === true ? (
                  <UnstyledButton className="sorter" onClick={() => sort.by(column.key)}>
                    {column.title}
                    {here && <Icon name={sort.descending ? "down" : "up"} size={12} />}
                  </UnstyledButton>
                ) : (
                  (column.head ?? column.title)
                )}
              </div>
            );
          })}
        </div>
      </div>
      <div className="vbody" role="rowgroup" style={{ height: virtual.getTotalSize(), minWidth }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const key = id(row);
          return (
            <div
              key={key}
              role="row"
              className="vrow"
              aria-rowindex={item.index + 2}
              data-index={item.index}
              data-selected={selection?.selected.has(key) === true || undefined}
              style={{ ...style, height: rowHeight, transform: `translateY(${item.start}px)` }}
            >
              {selection && (
                <div role="cell" className="vcell">
                  <Checkbox
                    size="xs"
                    aria-label={selection.rowLabel(row)}
                    checked={selection.selected.has(key)}
                    onChange={() => selection.toggle(key)}
                  />
                </div>
              )}
              {columns.map((column) => (
                <div key={column.key} role="cell" className={column.end === true ? "vcell num" : "vcell"}>
                  {column.cell(row)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}
