//! Texts that nobody would write.
use super::*;
use proptest::prelude::*;

/// Much of what `everything.bu` does not have.
const SUGAR: &str = "variant: fcos
version: 1.7.0
boot_device:
  layout: x86_64
  luks: {tpm2: true, threshold: 1, discard: true, tang: [{url: 'https://t', thumbprint: x}]}
  mirror: {devices: [/dev/a, /dev/b]}
grub: {users: [{name: root, password_hash: grub.pbkdf2.x}]}
storage:
  trees: [{local: t, path: /opt, user: {id: 1}, file_mode: 0644, dir_mode: 0755}]
  disks: [{device: /dev/a, partitions: [{label: root-1, size_mib: 9000}, {label: x}]}]
  filesystems: [{device: /dev/md/md-x, format: xfs, path: /var/x, with_mount_unit: true}]
  files: [{path: /boot/grub2/user.cfg, mode: 0600}, {path: /opt/a, user: {id: 2}}, {path: /a, contents: {local: t/a}}]
systemd: {units: [{name: var-x.mount, enabled: false}, {name: u.service, contents_local: t/a}]}
passwd: {users: [{name: core, ssh_authorized_keys_local: [t/a]}]}
";

fn beside() -> Files {
    let mut files = Files::default();
    files.insert("t/a", Entry::File { contents: b"[Unit]\n".to_vec(), executable: true }).unwrap();
    files.insert("t/b/l", Entry::Link { target: "../a".into() }).unwrap();
    files
}

/// A text with a few of its pieces cut out, doubled or replaced.
fn mangled(text: &'static str) -> impl Strategy<Value = String> {
    let edit = (0..text.len(), 0usize..40, "([-:?&*!|>'\"{}\\[\\],# \n\t0-9a-c/]|inline: |<<: ){0,6}");
    proptest::collection::vec(edit, 0..6).prop_map(move |edits| {
        edits.into_iter().fold(text.to_owned(), |text, (at, length, new)| {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            match (text.get(..at), text.get(end..)) {
                (Some(head), Some(tail)) => format!("{head}{new}{tail}"),
                _ => text,
            }
        })
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = transpile(&text);
        let _ = transpile(&fcos(&text));
    }

    #[test]
    fn no_mangled_config_makes_it_panic_and_all_errors_are_in_the_text(
        text in prop_oneof![mangled(include_str!("everything.bu")), mangled(SUGAR)],
    ) {
        match transpile_with(&text, &beside()) {
            Ok(config) => prop_assert_eq!(ignition::validate(&config.ignition).errors, []),
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                let lines = text.split('\n').count();
                for error in errors {
                    prop_assert!(error.line >= 1 && error.line <= lines + 1 && error.column >= 1, "{}", error);
                }
            }
        }
    }

    #[test]
    fn what_is_in_a_config_has_its_place_in_the_text(text in mangled(SUGAR)) {
        if let Ok(made) = transpile_with(&text, &beside()) {
            let lines = text.split('\n').count();
            for (path, span) in &made.places {
                prop_assert!(span.pos.line >= 1 && span.last_line <= lines + 1, "{}: {:?}", path, span);
            }
            for list in ["files", "disks", "filesystems", "luks", "raid"] {
                let items = made.ignition.pointer(&format!("/storage/{list}")).and_then(Value::as_array);
                for at in 0..items.map_or(0, Vec::len) {
                    let path = format!("storage.{list}[{at}]");
                    prop_assert!(made.places.contains_key(&path), "{} has no place", path);
                }
            }
        }
    }

    #[test]
    fn what_is_written_inline_arrives(text in "\\PC{0,400}", times in 1usize..20) {
        let text = text.repeat(times);
        let (url, compression) = resource::data_url(text.as_bytes(), false);
        let source = json!({"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/a", "contents": {"source": url}}]}});
        prop_assert_eq!(ignition::validate(&source), ignition::Report::default());
        prop_assert!(compression.is_some());
    }
}
