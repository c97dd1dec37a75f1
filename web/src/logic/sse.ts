/** Server-sent events as the HTML standard has them, from pieces of text as they come. */

export interface Message {
  id: string | undefined;
  event: string;
  data: string;
}

/** Takes pieces of a stream, and gives each message once it is whole. */
export class Messages {
  private rest = "";
  private id: string | undefined;
  private event = "";
  private lines: string[] = [];

  take(piece: string): Message[] {
    const done: Message[] = [];
    // A line may end in \r\n that is cut in two: a \r at the end waits for what follows.
    const text = this.rest + piece;
    const ended = text.endsWith("\r") ? text.slice(0, -1) : text;
    const lines = ended.split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? "") + (text.endsWith("\r") ? "\r" : "");
    for (const line of lines) {
      if (line === "") {
        if (this.lines.length > 0)
          done.push({ id: this.id, event: this.event || "message", data: this.lines.join("\n") });
        this.event = "";
        this.lines = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") this.lines.push(value);
      else if (field === "event") this.event = value;
      else if (field === "id" && !value.includes("\0")) this.id = value;
    }
    return done;
  }
}
