import { Link } from "@tanstack/react-router";
import type { Event } from "../api/client";
import { Moment } from "./Time";

/** Events as lines. What machines said of themselves is text, whatever it looks like. */
export function EventList({
  events,
  objects = true,
  short = false,
}: {
  events: readonly Event[];
  objects?: boolean;
  short?: boolean;
}) {
  return (
    <ul className="list">
      {events.map((event) => (
        <li key={event.seq}>
          <span className="dim">
            <Moment at={event.at} />
          </span>{" "}
          {!short && <code>{event.kind} </code>}
          {objects && <ObjectLink object={event.object} />} {event.message}
          {!short && <span className="dim"> ({event.actor})</span>}
        </li>
      ))}
    </ul>
  );
}

const PAGES: Record<
  string,
  "/profiles/$name" | "/groups/$name" | "/images/$name" | "/network/$name" | "/machines/$name"
> = {
  machine: "/machines/$name",
  profile: "/profiles/$name",
  group: "/groups/$name",
  image: "/images/$name",
  subnet: "/network/$name",
};

/** `machine/n1` as a link to its page, where its kind has one. */
export function ObjectLink({ object }: { object: string }) {
  const [kind = "", name = ""] = object.split("/");
  const to = PAGES[kind];
  if (to === undefined || name === "") return <span>{object}</span>;
  return (
    <Link to={to} params={{ name }}>
      {object}
    </Link>
  );
}
