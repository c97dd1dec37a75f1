/** The few drawings that the pages need. Each stands beside a word, or has one as its label. */
const PATHS = {
  overview: "M3 3h8v8H3zM13 3h8v5h-8zM13 10h8v11h-8zM3 13h8v8H3z",
  machines: "M3 4h18v6H3zM3 14h18v6H3zM7 7h.01M7 17h.01M11 7h6M11 17h6",
  inbox: "M3 13h5l2 3h4l2-3h5M3 13l3-9h12l3 9v7H3z",
  boots: "M12 3v9M7.5 5.5a8 8 0 1 0 9 0",
  profiles: "M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h5",
  groups: "M4 6h16M4 12h10M4 18h6M18 12v8M14 16h8",
  images: "M12 3l8 4v10l-8 4-8-4V7zM4 7l8 4 8-4M12 11v10",
  network: "M12 4v5M5 20v-5h14v5M12 9v6M9 2h6v5H9zM2 18h6v4H2zM16 18h6v4h-6z",
  events: "M4 5h16M4 10h16M4 15h10M4 20h7",
  audit: "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM9 12l2 2 4-4",
  access: "M14.5 9.5a4.5 4.5 0 1 0-3.5 4.400V17h3v3h4v-4l-4.300-4.300c.5-.600.800-1.400.800-2.200zM9 8h.01",
  webhooks:
    "M12 4a4 4 0 0 1 3 6.500l3 5M9.500 9.500L6 16M18 15.500a3 3 0 1 1-1.500 5.500c-1-.500-1.500-2-1.500-2H6M8 19a3 3 0 1 1-2-3M12 4a4 4 0 0 0-2.500 5.500",
  system: "M4 5h16v11H4zM9 20h6M12 16v4M8 9h2l1.500 3 2-5 1 2H17",
  start: "M5 21V4M5 4h12l-2 4 2 4H5",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  code: "M8 6l-6 6 6 6M16 6l6 6-6 6",
  check: "M4 12l5 5L20 6",
  cross: "M6 6l12 12M18 6L6 18",
  warning: "M12 3l10 18H2zM12 10v5M12 18h.01",
  lock: "M6 11h12v10H6zM8 11V7a4 4 0 0 1 8 0v4",
  drift: "M4 8h13l-3-3M20 16H7l3 3",
  down: "M12 4v14M6 12l6 6 6-6",
  up: "M12 20V6M6 12l6-6 6 6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" width={size} height={size} aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
