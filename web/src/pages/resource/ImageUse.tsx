import { Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Image, Profile } from "../../api/client";
import { fleetQuery } from "../../api/fleet";
import { listQuery } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { common } from "../../words/common";
import { resources } from "../../words/pages";
import { images as words } from "../../words/profiles";

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
      <div className="scroll" tabIndex={0} role="region" aria-label={words.files}>
        <table className="plain">
          <caption className="unseen">{words.files}</caption>
          <thead>
            <tr>
              {[words.file, words.source, words.sha256, words.verified].map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {files.map((file) => (
              <tr key={file.name}>
                <th scope="row">{file.name}</th>
                <td className="wrap">{file.url}</td>
                <td className="mono wrap">{file.sha256}</td>
                <td className="stage-active nowrap">
                  <Icon name="check" size={13} /> {words.verified}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
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
