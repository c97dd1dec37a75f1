use super::*;
use proptest::prelude::*;

fn config(body: Value) -> Value {
    let mut config = json!({"ignition": {"version": "3.4.0"}});
    config.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    config
}

fn merged(parent: Value, child: Value) -> Value {
    let mut merged = merge(&config(parent), &config(child)).config;
    merged.as_object_mut().unwrap().remove("ignition");
    merged
}

#[test]
fn single_values_are_the_childs_and_maps_are_merged() {
    assert_eq!(
        merged(
            json!({"storage": {"files": [{"path": "/a", "mode": 420, "user": {"id": 1}, "overwrite": true}]}}),
            json!({"storage": {"files": [{"path": "/a", "mode": 384, "group": {"id": 2}, "overwrite": false}]}}),
        ),
        json!({"storage": {"files": [{"group": {"id": 2}, "overwrite": false, "path": "/a", "user": {"id": 1}, "mode": 384}]}})
    );
}

#[test]
fn lists_are_joined_by_their_keys_in_the_parents_order() {
    assert_eq!(
        merged(
            json!({"storage": {"disks": [{"device": "/a", "wipeTable": true, "partitions": [{"number": 1, "label": "x", "startMiB": 4}]}, {"device": "/b"}]},
                "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": ["one", "two"]}]}}),
            json!({"storage": {"disks": [{"device": "/c"}, {"device": "/a", "wipeTable": false, "partitions": [{"number": 2, "label": "y"}, {"number": 1, "label": "z"}]}]},
                "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": ["three", "two"]}]}}),
        ),
        json!({"passwd": {"users": [{"name": "core", "sshAuthorizedKeys": ["one", "two", "three"]}]},
            "storage": {"disks": [
                {"device": "/a", "partitions": [{"label": "z", "number": 1, "startMiB": 4}, {"label": "y", "number": 2}], "wipeTable": false},
                {"device": "/b"}, {"device": "/c"}]}})
    );
}

#[test]
fn fragments_and_options_are_appended_even_if_they_are_the_same() {
    assert_eq!(
        merged(
            json!({"storage": {"files": [{"path": "/a", "append": [{"source": "data:,1"}]}], "filesystems": [{"device": "/d", "options": ["-E"]}]}}),
            json!({"storage": {"files": [{"path": "/a", "append": [{"source": "data:,1"}, {"source": "data:,2"}]}], "filesystems": [{"device": "/d", "options": ["-E"]}]}}),
        ),
        json!({"storage": {"files": [{"path": "/a", "append": [{"source": "data:,1"}, {"source": "data:,1"}, {"source": "data:,2"}]}],
            "filesystems": [{"device": "/d", "options": ["-E", "-E"]}]}})
    );
}

#[test]
fn what_the_child_has_in_another_list_leaves_the_parents() {
    assert_eq!(
        merged(
            json!({"storage": {"files": [{"path": "/a"}, {"path": "/b"}]}, "kernelArguments": {"shouldExist": ["quiet", "x"]}}),
            json!({"storage": {"directories": [{"path": "/b"}]}, "kernelArguments": {"shouldNotExist": ["quiet"]}}),
        ),
        json!({"kernelArguments": {"shouldExist": ["x"], "shouldNotExist": ["quiet"]},
            "storage": {"directories": [{"path": "/b"}], "files": [{"path": "/a"}]}})
    );
}

#[test]
fn a_header_without_a_value_takes_the_parents_away() {
    let file = |headers: Value| json!({"storage": {"files": [{"path": "/a", "contents": {"source": "http://a/", "httpHeaders": headers}}]}});
    assert_eq!(
        merged(
            file(
                json!([{"name": "old", "value": "1"}, {"name": "same", "value": "1"}, {"name": "gone", "value": "1"}])
            ),
            file(json!([{"name": "gone"}, {"name": "new", "value": "2"}, {"name": "same", "value": "2"}])),
        ),
        file(
            json!([{"name": "old", "value": "1"}, {"name": "same", "value": "2"}, {"name": "new", "value": "2"}])
        )
    );
}

#[test]
fn the_newer_version_is_the_wholes() {
    let of = |version: &str| json!({"ignition": {"version": version}});
    assert_eq!(merge(&of("3.5.0"), &of("3.1.0")).config, of("3.5.0"));
    assert_eq!(merge(&of("3.0.0"), &of("3.1.0")).config, of("3.1.0"));
}

#[test]
fn each_value_of_the_whole_is_traced_to_the_config_that_had_the_last_word() {
    let whole = merge_all(&[
        config(json!({"storage": {"files": [{"path": "/x"}, {"path": "/a", "mode": 420}]}})),
        config(json!({"systemd": {"units": [{"name": "u.service", "enabled": true}]}})),
        config(json!({"storage": {"files": [{"path": "/a", "mode": 384}]}})),
    ]);
    let source = |path: &str| whole.sources.get(path).map(|source| (source.layer, source.path.as_str()));
    assert_eq!(source("storage.files[1].mode"), Some((2, "storage.files[0].mode")));
    assert_eq!(source("storage.files[0].path"), Some((0, "storage.files[0].path")));
    assert_eq!(source("systemd.units[0].enabled"), Some((1, "systemd.units[0].enabled")));
}

#[test]
fn upstreams_merge_is_not_associative_where_a_path_changes_its_kind_and_neither_is_ours() {
    let file = |mode: Value| config(json!({"storage": {"files": [{"path": "/a", "mode": mode}]}}));
    let (a, b) = (file(json!(420)), config(json!({"storage": {"directories": [{"path": "/a"}]}})));
    let c = config(json!({"storage": {"files": [{"path": "/a"}]}}));
    let left = merge(&merge(&a, &b).config, &c).config;
    let right = merge(&a, &merge(&b, &c).config).config;
    assert_eq!(left["storage"]["files"], json!([{"path": "/a"}]), "the directory took the file's mode along");
    assert_eq!(right["storage"]["files"], json!([{"path": "/a", "mode": 420}]));
}

/// Configs that never have the same path as different things, and remove no headers.
fn some_config() -> impl Strategy<Value = Value> {
    let maybe = |values: std::ops::Range<i64>| proptest::option::of(values);
    let resource = || {
        (0..3u8, proptest::collection::btree_map(0..3u8, 0..3u8, 0..3)).prop_map(|(source, headers)| {
            let headers: Vec<Value> = headers
                .iter()
                .map(|(name, value)| json!({"name": format!("h{name}"), "value": value.to_string()}))
                .collect();
            json!({"source": format!("http://a/{source}"), "httpHeaders": headers})
        })
    };
    let file = (maybe(0..3), proptest::collection::vec(resource(), 0..3), proptest::option::of(resource()));
    let files = proptest::collection::btree_map(0..4u8, file, 0..4);
    let partition = proptest::collection::btree_map(1..4i64, maybe(0..3), 0..3);
    let disks =
        proptest::collection::btree_map(0..3u8, (proptest::option::of(any::<bool>()), partition), 0..3);
    let keys = proptest::collection::btree_set(0..5u8, 0..4);
    let arguments = proptest::collection::btree_set(0..5u8, 0..4);
    (files, disks, keys, arguments, 0..3u8).prop_map(|(files, disks, keys, arguments, version)| {
        let files: Vec<Value> = files
            .into_iter()
            .map(|(path, (mode, append, contents))| json!({"path": format!("/{path}"), "mode": mode, "append": append, "contents": contents}))
            .collect();
        let disks: Vec<Value> = disks
            .into_iter()
            .map(|(device, (wipe, partitions))| {
                let partitions: Vec<Value> =
                    partitions.into_iter().map(|(number, size)| json!({"number": number, "sizeMiB": size})).collect();
                json!({"device": format!("/dev/{device}"), "wipeTable": wipe, "partitions": partitions})
            })
            .collect();
        let texts = |set: std::collections::BTreeSet<u8>| set.into_iter().map(|n| n.to_string()).collect::<Vec<_>>();
        json!({"ignition": {"version": format!("3.{}.0", 3 + version)}, "storage": {"files": files, "disks": disks},
            "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": texts(keys)}]}, "kernelArguments": {"shouldExist": texts(arguments)}})
    })
}

/// Without what is empty, which Ignition does not keep.
fn plain(value: &Value) -> Value {
    merge(&json!({}), value).config
}

proptest! {
    #[test]
    fn merging_three_does_not_depend_on_which_two_go_first(a in some_config(), b in some_config(), c in some_config()) {
        let left = merge(&merge(&a, &b).config, &c).config;
        let right = merge(&a, &merge(&b, &c).config).config;
        prop_assert_eq!(left, right);
    }

    #[test]
    fn an_empty_config_changes_nothing(a in some_config()) {
        prop_assert_eq!(merge(&a, &json!({})).config, plain(&a));
        prop_assert_eq!(plain(&plain(&a)), plain(&a));
    }

    #[test]
    fn every_origin_has_the_value_that_it_is_said_to_have(a in some_config(), b in some_config()) {
        let merged = merge(&a, &b);
        for origin in merged.origins {
            let side = if origin.side == Side::Parent { &a } else { &b };
            let from = side.pointer(&place::pointer(&origin.from));
            let to = merged.config.pointer(&place::pointer(&origin.to));
            if from.is_some_and(|from| !from.is_object()) && origin.to != "ignition.version" {
                prop_assert_eq!(from, to, "{}", origin.to);
            }
        }
    }
}
