import { Button, FileButton, Select, Stack, Text, Textarea } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { client, data, type PacketExplanation, type Subnet } from "../../api/client";
import { listQuery } from "../../api/queries";
import { type Captured, dhcpPackets } from "../../logic/capture";
import { Snippet } from "../../parts/Page";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
import { ErrorBox, Waiting } from "../../parts/Trouble";
import { addresses } from "../../words/network";
import { network } from "../../words/pages";

const words = network.inspector;
const captures = addresses.capture;

/** What would be answered to a packet, and why. */
export function Inspector() {
  const subnets = useQuery(listQuery<Subnet>("subnets"));
  const [packet, setPacket] = useState("");
  const [subnet, setSubnet] = useState<string | null>(null);
  const [capture, setCapture] = useState<Captured[] | "bad">();
  const hex = packet.replace(/[\s:]/g, "").replace(/^0x/i, "");
  const wrong = hex !== "" && !/^([0-9a-f]{2})+$/i.test(hex);
  const ask = useMutation({
    mutationFn: (from?: Captured) => {
      const where = from === undefined ? {} : { from: from.from, to: from.to, port: from.port };
      const body = { packet: from?.hex ?? hex, ...where, ...(subnet === null ? {} : { subnet }) };
      return data(client.POST("/api/v1/explain", { body }));
    },
  });
  const open = async (file: File | null | undefined) => {
    if (file == null) return;
    // What cannot be read, since it was changed or taken away meanwhile, is no capture either.
    const bytes = await file.arrayBuffer().catch(() => new ArrayBuffer(0));
    const packets = dhcpPackets(bytes);
    setCapture(packets ?? "bad");
    const first = packets?.[0];
    if (first !== undefined) choose(first);
  };
  const choose = (one: Captured) => {
    setPacket(one.hex);
    ask.mutate(one);
  };
  return (
    <div className="panels">
      <form
        className="panel"
        onSubmit={(event) => {
          event.preventDefault();
          ask.mutate(undefined);
        }}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          void open(event.dataTransfer.files[0]);
        }}
      >
        <Stack gap="sm">
          <Text size="sm">{words.intro}</Text>
          <Textarea
            label={words.packet}
            value={packet}
            onChange={(event) => setPacket(event.currentTarget.value)}
            error={wrong ? words.notHex : undefined}
            autosize
            minRows={6}
            maxRows={18}
            spellCheck={false}
            classNames={{ input: "mono" }}
          />
          <div className="drop">
            <FileButton onChange={(file) => void open(file)}>
              {(props) => (
                <Button size="xs" variant="default" {...props}>
                  {captures.choose}
                </Button>
              )}
            </FileButton>
            <span className="dim">{captures.drop}</span>
          </div>
          {capture === "bad" && (
            <Text size="sm" role="alert" className="stage-failed">
              {captures.bad}
            </Text>
          )}
          {Array.isArray(capture) && (
            <>
              <Text size="sm" role="status">
                {capture.length === 0 ? captures.none : captures.found(capture.length)}
              </Text>
              <ul className="list packets" aria-label={captures.list} tabIndex={0}>
                {capture.map((one, index) => (
                  <li key={index}>
                    <button type="button" className="plainbutton mono" onClick={() => choose(one)}>
                      {index + 1}. {captures.from(one.from, one.to)}
                    </button>
                  </li>
                ))}
              </ul>
            </>
          )}
          <Select
            size="xs"
            label={words.subnet}
            description={words.subnetHint}
            clearable
            value={subnet}
            onChange={setSubnet}
            data={subnets.data?.map((one) => one.name) ?? []}
          />
          <Button type="submit" size="xs" disabled={hex === "" || wrong || ask.isPending}>
            {words.ask}
          </Button>
          {ask.isPending && <Waiting what={words.asking} />}
          {ask.isError && <ErrorBox error={ask.error} />}
        </Stack>
      </form>
      {ask.data !== undefined && <Answer answer={ask.data} />}
    </div>
  );
}

function Answer({ answer }: { answer: PacketExplanation }) {
  return (
    <>
      <section className="panel">
        <h2>{words.answer}</h2>
        <Text size="sm" fw={600} className="wrap">
          {answer.answer}
        </Text>
        <dl className="pairs">
          <dt>{words.client}</dt>
          <dd>{answer.client}</dd>
          {answer.machine !== null && (
            <>
              <dt>{words.machine}</dt>
              <dd>
                <Link to="/machines/$name" params={{ name: answer.machine }}>
                  {answer.machine}
                </Link>
              </dd>
            </>
          )}
        </dl>
        <Text size="sm" mt="xs">
          {words.because}
        </Text>
        <ol className="list">
          {answer.because.map((reason, index) => (
            <li key={index}>{reason}</li>
          ))}
        </ol>
      </section>
      <section className="panel">
        <h2>{words.decoded}</h2>
        <Fields view={answer.packet} />
      </section>
      <section className="panel">
        <h2>
          {words.reply} {answer.to != null && words.to(answer.to)}
        </h2>
        {answer.reply == null ? <Text size="sm">{words.noReply}</Text> : <Fields view={answer.reply} />}
        {answer.reply_hex != null && <Snippet label={words.reply} text={answer.reply_hex} />}
      </section>
    </>
  );
}

type View = PacketExplanation["packet"];

const FIELDS: readonly PlainColumn<View["fields"][number]>[] = [
  {
    title: words.field,
    names: true,
    cell: (field) => (
      <>
        {field.code != null && <span className="dim">{field.code} </span>}
        {field.name}
      </>
    ),
  },
  { title: words.value, className: "mono", cell: (field) => field.value },
];

function Fields({ view }: { view: View }) {
  return <PlainTable label={view.kind} rows={view.fields} columns={FIELDS} id={(_, index) => index} />;
}
