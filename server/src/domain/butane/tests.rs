mod pairs;
mod random;

use super::*;
use std::io::Read as _;

fn good(text: &str) -> Transpiled {
    transpile(text).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"))
}

fn said(found: &[Located]) -> Vec<String> {
    found.iter().map(|at| format!("{}:{} {}", at.line, at.column, at.message)).collect()
}

fn wrong(text: &str) -> Vec<String> {
    said(&transpile(text).expect_err("this has mistakes"))
}

fn fcos(body: &str) -> String {
    format!("variant: fcos\nversion: 1.5.0\n{body}")
}

#[test]
fn a_mode_written_in_octal_keeps_its_meaning() {
    let config = good(&fcos(
        "storage:\n  files:\n    - {path: /a, mode: 0644}\n    - {path: /b, mode: 0o600}\n    - {path: /c, mode: 420}\n",
    ));
    let modes: Vec<_> =
        (0..3).map(|n| config.ignition["storage"]["files"][n]["mode"].as_i64().unwrap()).collect();
    assert_eq!(
        (modes, config.warnings.as_slice(), config.version),
        (vec![0o644, 0o600, 420], [].as_slice(), "3.4.0")
    );
}

#[test]
fn a_mode_without_its_leading_zero_is_a_warning() {
    let config = good(&fcos("storage:\n  files:\n    - path: /a\n      mode: 644\n"));
    assert_eq!(
        said(&config.warnings),
        ["6:13 644 is octal 1204, which is odd: was octal 0644 meant (0644 in Butane, 420 in JSON)?"]
    );
}

#[test]
fn each_version_makes_its_spec() {
    for (variant, version, spec) in [
        ("fcos", "1.0.0", "3.0.0"),
        ("fcos", "1.1.0", "3.1.0"),
        ("fcos", "1.2.0", "3.2.0"),
        ("fcos", "1.3.0", "3.2.0"),
        ("fcos", "1.4.0", "3.3.0"),
        ("fcos", "1.5.0", "3.4.0"),
        ("fcos", "1.6.0", "3.5.0"),
        ("fcos", "1.7.0", "3.6.0"),
        ("flatcar", "1.0.0", "3.3.0"),
        ("flatcar", "1.1.0", "3.4.0"),
    ] {
        let config = good(&format!("variant: {variant}\nversion: {version}\n"));
        assert_eq!((config.ignition, config.version), (json!({"ignition": {"version": spec}}), spec));
    }
}

#[test]
fn the_header_must_say_what_the_text_is() {
    assert_eq!(
        wrong("a: 1"),
        [
            "1:1 `variant` is missing, as in `variant: fcos`, `version: 1.5.0`",
            "1:1 `version` is missing, as in `variant: fcos`, `version: 1.5.0`"
        ]
    );
    assert_eq!(
        wrong("variant: rhcos\nversion: 1.0.0"),
        ["1:10 the variant `rhcos` is not supported: fcos, flatcar"]
    );
    assert_eq!(
        wrong("variant: flatcar\nversion: 1.5.0"),
        ["2:10 the version `1.5.0` of the variant `flatcar` is not supported: 1.0.0, 1.1.0"]
    );
    assert_eq!(wrong("variant: fcos\nversion: 1.6.0-experimental").len(), 1);
    assert_eq!(wrong("variant: [a]\nversion: 1.0.0"), ["1:10 `variant` is a text, this is a list"]);
    assert_eq!(wrong(""), ["1:1 the text is empty: it begins with `variant` and `version`"]);
    assert_eq!(wrong("- a"), ["1:1 Butane is a map, this is a list"]);
    assert_eq!(
        wrong("variant: fcos\nversion: 1.5.0\n---\na: b"),
        ["4:1 Butane is one document, this is another one"]
    );
    assert_eq!(wrong("a: [b\nc"), ["1:4 unclosed bracket '['"]);
}

#[test]
fn all_mistakes_are_found_in_one_go_where_they_are() {
    let text = fcos(
        "storage:
  files:
    - path: etc/a
      mode: '0644'
      contents:
        inlin: x
    - path: /b
      contents: {source: 'ftp://x'}
    - pth: /c
  disks: {}
systemd:
  units:
    - name: a
      enabled: maybe
    - name: b.service
      contents: |
        [Service]
        ExecStart=/bin/b
        Restart
passwd:
  users:
    - name: core
      sshAuthorizedKeys: [k]
bananas: 1
",
    );
    assert_eq!(
        wrong(&text),
        [
            "5:13 `etc/a` is not absolute",
            "6:13 a number is expected here, not the text \"0644\": write it without quotes",
            "8:9 `inlin` is not known here, did you mean `inline`?",
            "10:26 Ignition cannot fetch from URLs of this scheme: http, https, tftp, s3, gs, arn, data",
            "11:7 `pth` is not known here, did you mean `path`?",
            "12:10 a list is expected here, not a map",
            "15:13 `a` is no unit name: it must end like `.service`",
            "16:16 true or false is expected here, not the text \"maybe\"",
            "21:9 `Restart` is no setting: `=` is missing",
            "25:7 `sshAuthorizedKeys` is not known here, did you mean `ssh_authorized_keys`?",
            "26:1 `bananas` is not known here",
        ]
    );
}

#[test]
fn what_a_version_does_not_have_yet_is_named_with_the_one_that_has() {
    let text = "variant: fcos\nversion: 1.3.0\nkernel_arguments: {should_exist: [a]}\nstorage:\n  luks: [{name: a, device: /d, discard: true}]\n";
    assert_eq!(
        wrong(text),
        [
            "3:1 `kernel_arguments` came with version 1.4.0 of the variant `fcos`",
            "5:32 `discard` came with version 1.5.0 of the variant `fcos`"
        ]
    );
    assert_eq!(
        wrong(
            "variant: fcos\nversion: 1.0.0\nstorage:\n  filesystems: [{device: /d, format: ext4, path: /x, with_mount_unit: true}]\n"
        ),
        ["4:54 `with_mount_unit` came with version 1.1.0 of the variant `fcos`"]
    );
}

#[test]
fn sugar_that_a_variant_or_a_version_does_not_have_is_said_to_be_missing() {
    let boot = |header: &str| {
        format!("{header}\nboot_device: {{mirror: {{devices: [/dev/a, /dev/b]}}}}\ngrub: {{users: []}}\n")
    };
    assert_eq!(
        wrong(&boot("variant: fcos\nversion: 1.2.0")),
        [
            "3:1 `boot_device` came with version 1.3.0 of the variant `fcos`",
            "4:1 `grub` came with version 1.5.0 of the variant `fcos`"
        ]
    );
    assert_eq!(
        wrong(&boot("variant: flatcar\nversion: 1.1.0")),
        [
            "3:1 `boot_device` is not in any version of the variant `flatcar` that is supported",
            "4:1 `grub` is not in any version of the variant `flatcar` that is supported"
        ]
    );
}

#[test]
fn a_file_that_is_not_beside_the_text_is_an_error_where_it_is_named() {
    let text = fcos(
        "storage:
  trees: [{local: x}, {path: /y}]
  files: [{path: /a, contents: {local: x}}, {path: /b, contents: {local: ../../etc/shadow}}]
systemd:
  units: [{name: a.service, contents_local: x, dropins: [{name: a.conf, contents: y, contents_local: x}]}]
passwd:
  users: [{name: a, ssh_authorized_keys_local: [x]}]
",
    );
    assert_eq!(
        wrong(&text),
        [
            "4:19 there is no `x` among the profile's files",
            "4:23 `local` is missing: the folder to take",
            "5:40 there is no `x` among the profile's files",
            "5:74 `../../etc/shadow` leads out of the profile's folder",
            "7:45 there is no `x` among the profile's files",
            "7:86 only one of `contents` and `contents_local` can be given",
            "9:49 there is no `x` among the profile's files",
        ]
    );
}

#[test]
fn a_boot_device_that_cannot_be_is_refused_with_the_reason() {
    let boot = |version: &str, body: &str| format!("variant: fcos\nversion: {version}\nboot_device:\n{body}");
    for (version, body, expected) in [
        ("1.5.0", "  layout: s390x-virt\n", "4:11 there is no such layout: aarch64, ppc64le, x86_64"),
        (
            "1.6.0",
            "  layout: sparc\n",
            "4:11 there is no such layout: aarch64, ppc64le, x86_64, s390x-eckd, s390x-virt, s390x-zfcp",
        ),
        (
            "1.6.0",
            "  layout: s390x-eckd\n  luks: {tpm2: true}\n",
            "4:11 the layout s390x-eckd needs `luks.device`",
        ),
        (
            "1.6.0",
            "  layout: s390x-zfcp\n  luks: {tpm2: true, device: /dev/dasda}\n",
            "5:30 with the layout s390x-zfcp, the device is a whole disk like `/dev/sda`",
        ),
        (
            "1.6.0",
            "  layout: s390x-virt\n  mirror: {devices: [/dev/a, /dev/b]}\n",
            "5:11 the layouts of s390x cannot be mirrored",
        ),
        ("1.3.0", "  mirror: {devices: [/dev/a]}\n", "4:21 a mirror takes at least two devices"),
        (
            "1.7.0",
            "  mirror: {devices: [/dev/a, /dev/b]}\n",
            "4:11 a mirror needs the `layout`: aarch64, ppc64le, x86_64",
        ),
        ("1.6.0", "  luks: {cex: {enabled: true}}\n", "4:15 `cex` is for the layouts of s390x only"),
        (
            "1.6.0",
            "  layout: s390x-virt\n  luks: {cex: {enabled: true}, tpm2: true}\n",
            "5:15 `cex` excludes `tang` and `tpm2`",
        ),
        (
            "1.4.0",
            "  luks: {discard: true}\n",
            "4:10 `discard` came with version 1.5.0 of the variant `fcos`",
        ),
        (
            "1.3.0",
            "  luks: {tang: [{url: x, thumbprint: y}]}\n",
            "4:23 a Tang server is given by an http or https URL",
        ),
    ] {
        let found = wrong(&boot(version, body));
        assert_eq!(found, [expected]);
    }
}

#[test]
fn what_has_a_mount_unit_is_mounted_below_etc_or_var_since_fcos_1_6() {
    let text = |version: &str, path: &str| {
        format!(
            "variant: fcos\nversion: {version}\nstorage:\n  filesystems:\n    - device: /dev/a\n      format: xfs\n      path: {path}\n      with_mount_unit: true\n"
        )
    };
    for path in ["/boot", "/varnish", "/foo/var", "/"] {
        assert_eq!(
            wrong(&text("1.6.0", path)),
            ["7:13 what has a mount unit is mounted at or below /etc or /var"]
        );
        good(&text("1.5.0", path));
    }
    good(&text("1.6.0", "/var"));
    good(&text("1.7.0", "/etc/a"));
}

#[test]
fn nothing_can_be_smuggled_into_grubs_script() {
    for (name, hash) in [("a b", "x"), ("a\\nset x", "x"), ("a", "x; reboot"), ("", "x"), ("a", "")] {
        let text =
            fcos(&format!("grub:\n  users:\n    - name: \"{name}\"\n      password_hash: \"{hash}\"\n"));
        assert_eq!(wrong(&text).len(), 1, "{name} {hash}");
    }
}

#[test]
fn a_config_inside_of_the_config_is_looked_into_since_fcos_1_6() {
    let text = |version: &str| {
        format!(
            "variant: fcos\nversion: {version}\nignition:\n  config:\n    merge:\n      - inline: |\n          {{\"ignition\": {{\"version\": \"3.3.0\"}},\n           \"storage\": {{\"files\": [{{\"path\": \"a\"}}]}}}}\n"
        )
    };
    assert_eq!(wrong(&text("1.6.0")), ["8:43 storage.files[0].path: `a` is not absolute"]);
    good(&text("1.5.0"));
}

#[test]
fn short_text_travels_escaped_and_long_text_compressed() {
    let config = good(&fcos(
        "storage:\n  files:\n    - path: /a\n      contents: {inline: \"#!/bin/sh\\necho (hi)\\n\"}\n",
    ));
    let contents = &config.ignition["storage"]["files"][0]["contents"];
    assert_eq!(*contents, json!({"compression": "", "source": "data:,%23!%2Fbin%2Fsh%0Aecho%20(hi)%0A"}));

    let text = "0123456789".repeat(500);
    let config =
        good(&fcos(&format!("storage:\n  files:\n    - path: /a\n      contents: {{inline: '{text}'}}\n")));
    let contents = &config.ignition["storage"]["files"][0]["contents"];
    assert_eq!(contents["compression"], "gzip");
    let packed = contents["source"].as_str().unwrap().strip_prefix("data:;base64,").unwrap();
    let packed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, packed).unwrap();
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);

    let (url, compression) = resource::data_url("äöü".as_bytes(), false);
    assert_eq!((url.as_str(), compression), ("data:;base64,w6TDtsO8", Some("")));
    let old = good(&format!(
        "variant: fcos\nversion: 1.0.0\nstorage:\n  files:\n    - path: /a\n      contents: {{inline: '{text}'}}\n"
    ));
    assert_eq!(old.ignition["storage"]["files"][0]["contents"], json!({"source": format!("data:,{text}")}));
}

#[test]
fn text_that_is_compressed_already_is_not_compressed_again() {
    let text = "x".repeat(1000);
    let config = good(&fcos(&format!(
        "storage:\n  files:\n    - path: /a\n      contents: {{inline: '{text}', compression: gzip}}\n"
    )));
    assert_eq!(
        config.ignition["storage"]["files"][0]["contents"],
        json!({"compression": "gzip", "source": format!("data:,{text}")})
    );
    let two = wrong(&fcos(
        "storage:\n  files:\n    - path: /a\n      contents:\n        inline: a\n        source: http://b/\n",
    ));
    assert_eq!(two, ["8:9 only one of `inline`, `local` and `source` can be given"]);
}

#[test]
fn a_filesystem_gets_its_mount_unit() {
    let text = fcos(
        "storage:
  luks:
    - {name: data, device: /dev/sdb, clevis: {tang: [{url: 'http://t', thumbprint: x}]}}
  filesystems:
    - {device: /dev/disk/by-partlabel/var-lib, format: xfs, path: /var/lib/my-data, with_mount_unit: true}
    - {device: /dev/mapper/data, format: ext4, path: /d, mount_options: [ro, noatime], with_mount_unit: yes}
    - {device: /dev/sdc, format: swap, with_mount_unit: true}
systemd:
  units:
    - {name: a.service, contents: \"[Service\"}
    - {name: d.mount, enabled: false}
",
    );
    assert_eq!(
        wrong(&text),
        ["12:36 this section's name has no `]`"],
        "the place is right though the unit has another number"
    );
    let config = good(&text.replace("[Service", "[Service]\\nA=b"));
    let units = config.ignition["systemd"]["units"].as_array().unwrap();
    let names: Vec<_> = units.iter().map(|unit| unit["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["var-lib-my\\x2ddata.mount", "d.mount", "dev-sdc.swap", "a.service"]);
    assert_eq!(
        units[0]["contents"],
        "# Generated by Butane\n[Unit]\nRequires=systemd-fsck@dev-disk-by\\x2dpartlabel-var\\x2dlib.service\n\
         After=systemd-fsck@dev-disk-by\\x2dpartlabel-var\\x2dlib.service\n\n[Mount]\nWhere=/var/lib/my-data\n\
         What=/dev/disk/by-partlabel/var-lib\nType=xfs\n\n[Install]\nRequiredBy=local-fs.target"
    );
    assert_eq!(
        units[1]["contents"],
        "# Generated by Butane\n[Unit]\nRequires=systemd-fsck@dev-mapper-data.service\nAfter=systemd-fsck@dev-mapper-data.service\n\n\
         [Mount]\nWhere=/d\nWhat=/dev/mapper/data\nType=ext4\nOptions=ro,noatime,_netdev\n\n[Install]\nRequiredBy=remote-fs.target"
    );
    assert_eq!(units[1]["enabled"], false, "the user's word wins");
    assert_eq!(
        units[2]["contents"],
        "# Generated by Butane\n[Swap]\nWhat=/dev/sdc\n\n[Install]\nRequiredBy=swap.target"
    );
    assert_eq!(units[2]["enabled"], true);
    assert!(config.ignition["storage"]["filesystems"][0].get("with_mount_unit").is_none());
}

#[test]
fn before_fcos_1_4_mount_units_follow_and_swap_needs_a_path() {
    let text = |swap: &str| {
        format!(
            "variant: fcos\nversion: 1.1.0\nstorage:\n  filesystems:\n    - {{device: /dev/a, format: {swap}, path: /a, with_mount_unit: true}}\n    \
             - {{device: /dev/b, format: swap, with_mount_unit: true}}\nsystemd:\n  units: [{{name: x.service}}]\n"
        )
    };
    assert_eq!(wrong(&text("ext4")), ["6:55 a mount unit needs the `path` to mount the filesystem at"]);
    let config = good(&text("ext4").replace("format: swap, ", "format: swap, path: /b, "));
    let names: Vec<_> = config.ignition["systemd"]["units"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| unit["name"].clone())
        .collect();
    assert_eq!(names, ["x.service", "a.mount", "b.mount"]);
    let without_format =
        wrong(&fcos("storage:\n  filesystems: [{device: /dev/a, path: /a, with_mount_unit: true}]\n"));
    assert_eq!(without_format, ["4:61 a mount unit needs the filesystem's `format`"]);
}

#[test]
fn nothing_can_be_smuggled_into_a_mount_unit() {
    for field in [
        "device: \"/d\\nExecStart=x\", path: /a",
        "device: /d, path: \"/a\\nx\"",
        "device: /d, path: /a, mount_options: [\"a\\nx\"]",
    ] {
        let text =
            fcos(&format!("storage:\n  filesystems: [{{{field}, format: ext4, with_mount_unit: true}}]\n"));
        assert!(wrong(&text)[0].contains("control characters"), "{field}");
    }
}

#[test]
fn a_unit_is_named_as_systemd_names_it() {
    for (path, name) in [
        ("/", "-"),
        ("/var/lib", "var-lib"),
        ("//a//b/", "a-b"),
        ("/.a/.b", "\\x2ea-.b"),
        ("/a-b c", "a\\x2db\\x20c"),
        ("/ä", "\\xc3\\xa4"),
    ] {
        assert_eq!(mount::escape_path(path), name);
    }
}

#[test]
fn scalars_are_taken_as_go_takes_them() {
    let config = good(&fcos(
        "passwd:\n  users:\n    - {name: 123, uid: 1_000, gecos: true, system: on, shell: 1.50, home_dir: ~}\n",
    ));
    assert_eq!(
        config.ignition["passwd"]["users"][0],
        json!({"gecos": "true", "name": "123", "shell": "1.50", "system": true, "uid": 1000})
    );
}

#[test]
fn everything_that_butane_has_goes_through() {
    let text = include_str!("tests/everything.bu");
    let config = good(text);
    let expected: Value = serde_json::from_str(include_str!("tests/everything.ign")).unwrap();
    assert_eq!(config.ignition, expected);
    assert_eq!(said(&config.warnings), Vec::<String>::new());
    assert_eq!(config.ignition.to_string(), expected.to_string(), "the order is stable too");
}

#[test]
fn warnings_are_where_they_belong() {
    let text = "variant: fcos
version: 1.7.0
systemd:
  units:
    - name: a.service
      enabled: true
      contents: |
        [Service]
        ExecStart=/a
storage:
  disks:
    - device: /dev/sda
      partitions: [{label: data, size_mib: 0}]
    - device: /dev/disk/by-id/coreos-boot-disk
      partitions: [{label: root, number: 5}, {label: var, size_mib: 0}]
    - device: /dev/sdb
      partitions: [{label: root, number: 4, size_mib: 8191}]
";
    let warnings = said(&good(text).warnings);
    assert_eq!(warnings.len(), 5, "{warnings:#?}");
    assert!(warnings[0].starts_with("8:9 the unit is enabled, but has no `[Install]`"), "{warnings:#?}");
    assert!(warnings[1].starts_with("13:20 a partition is not found again by its label"), "{warnings:#?}");
    assert_eq!(
        warnings[2..],
        [
            "15:28 `root` is partition 4 of the boot disk: this makes another one",
            "15:28 the root file system cannot grow: a later partition without `start_mib` comes right after it",
            "17:55 8191 MiB are too few for the root file system: at least 8192",
        ]
    );
    assert_eq!(good(&text.replace("1.7.0", "1.6.0")).warnings.len(), 3);
    assert_eq!(good(&text.replace("1.7.0", "1.5.0")).warnings.len(), 2);
    let flatcar = text.replace("fcos\nversion: 1.7.0", "flatcar\nversion: 1.1.0");
    assert_eq!(good(&flatcar).warnings.len(), 1);
}

#[test]
fn flatcar_has_no_clevis() {
    let text = "variant: flatcar\nversion: 1.1.0\nstorage:\n  luks:\n    - {name: a, device: /d, clevis: {tpm2: true}}\n";
    assert_eq!(wrong(text), ["5:29 Flatcar does not have Clevis"]);
}

#[test]
fn a_mistake_in_a_profile_is_shown_in_the_file_it_was_written_in() {
    let file = "kind: Profile\nname: x\nspec:\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    storage: {file: []}\n";
    let document = yaml::parse_documents(file).unwrap().remove(0);
    let node = document.at("spec.butane").unwrap();
    let errors = transpile(node.text().unwrap()).unwrap_err();
    assert_eq!(node.inner(errors[0].pos()), Position { line: 7, column: 15 });
}

#[test]
fn bombs_and_heaps_end() {
    let mut bomb = fcos("x0: &x0 {a: b}\n");
    for level in 1..50 {
        bomb.push_str(&format!(
            "x{level}: &x{level} [{}]\n",
            [format!("*x{}", level - 1).as_str(); 9].join(",")
        ));
    }
    assert!(transpile(&bomb).is_err());
    let files: String = (0..20_000).map(|n| format!("  - {{path: /f{n}, contents: *c}}\n")).collect();
    let heap = fcos(&format!(
        "ignition: {{config: {{merge: [&c {{inline: '{}'}}]}}}}\nstorage:\n  files:\n{files}",
        "ab".repeat(300)
    ));
    let _ = transpile(&heap);
    let unknown: String = (0..20_000).map(|n| format!("key{n}: 1\n")).collect();
    assert!(transpile(&fcos(&unknown)).unwrap_err().len() <= 501);
}
