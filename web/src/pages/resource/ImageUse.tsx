import { Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Image, Profile } from "../../api/client";
import { fleetQuery } from "../../api/fleet";
import { listQuery } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
import { common } from "../../words/common";
import { resources } from "../../words/pages";
import { images as words } from "../../words/profiles";

interface File {
  name: string;
  url: string;
  sha256: string;
}

const FILES: readonly PlainColumn<File>[] = [
  { title: words.file, names: true, cell: (file) => file.name },
  { title: words.source, className: "wrap", cell: (file) => file.url },
  { title: words.sha256, className: "mono wrap", cell: (file) => file.sha256 },
  {
    title: words.checked,
    className: "stage-active nowrap",
    cell: () => (
      <>
        <Icon name="check" size={13} /> {words.verified}
      </>
    ),
  },
];

/** The files of an image with their hashes, and who uses it. */
export function ImageUse({ image }: { image: Image }) {
  const { kernel, initrd, rootfs } = image.spec;
  const files = [
    { name: words.kernel, ...kernel },
    ...initrd.map((file, index) => ({ name: words.initrd(index + 1, initrd.length), ...file })),
    ...(rootfs == null ? [] : [{ name: words.rootfs, ...rootfs }]),
  ];
  const profiles = (useQuery(listQuery<Profile>("profiles")).data ?? []).filter((one) => one.spec.image === image.name);
  const rows = useQuery(fleetQuery(useQueryClient())).data?.rows ?? [];
  const using = rows.filter((row) => profiles.some((profile) => profile.name === row.profile));
  return (
    <>
      <PlainTable label={words.files} rows={files} columns={FILES} id={(file) => file.name} />
      <Text size="sm" className="dim" my="xs">
        {words.verifiedHint}
      </Text>
      <dl className="pairs">
        <dt>{resources.title.profiles}</dt>
        <dd>
          {profiles.length === 0
            ? resources.unused
            : profiles.map((one) => (
                <Link key={one.name} className="spaced" to="/profiles/$name" params={{ name: one.name }}>
                  {one.name}
                </Link>
              ))}
        </dd>
        <dt>{words.machines}</dt>
        <dd>{common.machines(using.length)}</dd>
      </dl>
    </>
  );
}
