use super::*;
use proptest::prelude::*;
use serde_json::json;

fn errors(config: &Value) -> Vec<String> {
    validate(config).errors.iter().map(ToString::to_string).collect()
}

fn v(minor: usize) -> Version {
    Version::ALL[minor]
}

#[test]
fn all_mistakes_are_found_at_once_and_each_at_its_path() {
    let config = json!({
        "ignition": {"version": "3.3.0", "config": {"merge": [{"source": "ftp://x"}]}},
        "storage": {
            "files": [{"path": "etc/a", "mode": "0644"}, {"path": "/b", "mode": 99999}, {"path": "/b"}],
            "links": [{"path": "/l"}],
        },
        "systemd": {"units": [{"name": "x", "contents": "[Service]\nExecStart=/a\nUser\n"}]},
    });
    assert_eq!(
        errors(&config),
        [
            "storage.files[0].mode: a number is expected here, not the text \"0644\"",
            "storage.files[2]: `/b` is given twice, first at storage.files[1]",
            "ignition.config.merge[0].source: Ignition cannot fetch from URLs of this scheme: http, https, tftp, s3, gs, arn, data",
            "storage.files[0].path: `etc/a` is not absolute",
            "storage.files[1].mode: 99999 (octal 303237) is no mode: it is between 0 and 4095 (octal 7777)",
            "storage.links[0].target: `target` is missing",
            "systemd.units[0].name: `x` is no unit name: it must end like `.service`",
            "systemd.units[0].contents, line 3: `User` is no setting: `=` is missing",
        ]
    );
}

#[test]
fn a_field_of_the_wrong_type_is_not_said_to_be_missing_too() {
    let config = json!({"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": 1}], "disks": ["x"], "raid": {}}});
    assert_eq!(errors(&config).len(), 3, "{:?}", errors(&config));
}

#[test]
fn an_unknown_field_is_a_warning_that_says_what_was_meant() {
    let config = json!({"ignition": {"version": "3.3.0"}, "storage": {"luks": [{"name": "a", "device": "/d", "discard": true}]},
        "systemd": {"unit": []}, "passwd": {"users": [{"name": "a", "ssh_authorized_keys": []}]}});
    let report = validate(&config);
    assert_eq!(report.errors, []);
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "storage.luks[0].discard: `discard` is ignored: it came with Ignition spec 3.4.0",
            "systemd.unit: `unit` is ignored: it is not known here, did you mean `units`?",
            "passwd.users[0].ssh_authorized_keys: `ssh_authorized_keys` is ignored: it is not known here, did you mean `sshAuthorizedKeys`?",
        ]
    );
}

#[test]
fn a_file_may_not_take_the_place_of_a_unit_since_3_4() {
    let config = |version: &str| {
        json!({"ignition": {"version": version}, "systemd": {"units": [{"name": "a.service", "contents": "[Unit]\nA=b",
            "dropins": [{"name": "x.conf", "contents": "[Unit]\nA=c"}]}]},
            "storage": {"files": [{"path": "/etc/systemd/system/a.service"}], "links": [{"path": "/etc/systemd/system/a.service.d/x.conf", "target": "/y"}]}})
    };
    assert_eq!(errors(&config("3.4.0")).len(), 2);
    assert_eq!((errors(&config("3.3.0")).len(), validate(&config("3.3.0")).warnings.len()), (0, 2));
}

#[test]
fn what_only_the_finished_3_4_knows_is_judged() {
    let tang = |advertisement: &str| {
        json!({"ignition": {"version": "3.4.0"}, "storage": {"luks": [{"name": "a", "device": "/d", "discard": true, "openOptions": ["x", "x"],
            "clevis": {"tang": [{"url": "http://t", "thumbprint": "x", "advertisement": advertisement}]}}]}})
    };
    assert_eq!(errors(&tang("{}")), Vec::<String>::new());
    assert_eq!(
        errors(&tang("{")),
        ["storage.luks[0].clevis.tang[0].advertisement: a Tang server's advertisement is JSON"]
    );
}

#[test]
fn what_3_5_and_3_6_brought_is_judged() {
    let config = |version: &str, body: Value| {
        let mut config = json!({"ignition": {"version": version}});
        config.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        config
    };
    let setuid = json!({"storage": {"files": [{"path": "/a", "mode": 0o4755}]}});
    assert_eq!(validate(&config("3.6.0", setuid.clone())), Report::default());
    assert_eq!(validate(&config("3.5.0", setuid)).warnings.len(), 1);
    let luks = |luks: Value| json!({"storage": {"luks": [luks]}});
    let cex = luks(json!({"name": "a", "device": "/d", "cex": {"enabled": true}}));
    assert_eq!(validate(&config("3.5.0", cex.clone())), Report::default());
    assert_eq!(
        validate(&config("3.4.0", cex)).warnings[0].to_string(),
        "storage.luks[0].cex: `cex` is ignored: it came with Ignition spec 3.5.0"
    );
    let both = luks(
        json!({"name": "a", "device": "/d", "cex": {"enabled": true}, "clevis": {"tpm2": true}, "keyFile": {"source": "data:,x"}}),
    );
    assert_eq!(
        errors(&config("3.5.0", both)),
        ["storage.luks[0].cex: `cex` excludes `clevis`", "storage.luks[0].cex: `cex` excludes a key file"]
    );
    let pin =
        luks(json!({"name": "a", "device": "/d", "clevis": {"custom": {"pin": "trustee", "config": "{}"}}}));
    assert_eq!(errors(&config("3.5.0", pin.clone())).len(), 1);
    assert_eq!(validate(&config("3.6.0", pin)), Report::default());
}

#[test]
fn json_text_is_judged_with_line_and_column() {
    let text = "{\n  \"ignition\": {\"version\": \"3.3.0\"},\n  \"storage\": {\n    \"files\": [\n      {\"path\": \"a\", \"mode\": 420}\n    ]\n  }\n}\n";
    let wrong = check_text(text).unwrap_err();
    assert_eq!(
        wrong.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["line 5, column 16: storage.files[0].path: `a` is not absolute"]
    );
    let wrong = check_text("{\n  \"ignition\": {,\n").unwrap_err();
    assert_eq!((wrong[0].line, wrong.len()), (2, 1));
    assert_eq!(wrong[0].message, "this is no JSON: key must be a string");
    assert!(check_text("").is_err());
    let (_, warnings) = check_text("{\"ignition\":{\"version\":\"3.3.0\"},\n\"foo\":1}").unwrap();
    assert_eq!(warnings[0].pos(), Position { line: 2, column: 7 });
}

#[test]
fn a_config_is_lowered_to_what_an_older_image_understands() {
    let config = json!({"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/a", "mode": 420, "contents": {"compression": "", "source": "data:,x"}}]}});
    let lowered = retarget(&config, v(3)).unwrap();
    assert_eq!(lowered["ignition"]["version"], "3.3.0");
    assert_eq!(lowered["storage"], config["storage"]);
    assert_eq!(retarget(&config, v(4)).unwrap(), config);
    assert_eq!(
        retarget(&lowered, v(4)).unwrap(),
        lowered,
        "an old config stays old: every Ignition takes it"
    );
    assert_eq!(needed(&config).unwrap(), v(0));
}

#[test]
fn what_an_older_image_would_lose_is_named() {
    let config = |body: Value| {
        let mut config = json!({"ignition": {"version": "3.6.0"}});
        config.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        config
    };
    for (body, oldest, path) in [
        (
            json!({"storage": {"luks": [{"name": "a", "device": "/d", "discard": true}]}}),
            4,
            "storage.luks[0].discard",
        ),
        (json!({"storage": {"files": [{"path": "/a", "mode": 0o4755}]}}), 6, "storage.files[0].mode"),
        (
            json!({"storage": {"luks": [{"name": "a", "device": "/d", "cex": {"enabled": true}}]}}),
            5,
            "storage.luks[0].cex",
        ),
        (
            json!({"storage": {"files": [{"path": "/a", "contents": {"source": "arn:aws:s3:::b/k"}}]}}),
            4,
            "storage.files[0].contents.source",
        ),
        (json!({"kernelArguments": {"shouldExist": ["a"]}}), 3, "kernelArguments"),
        (
            json!({"storage": {"filesystems": [{"device": "/d", "format": "none"}]}}),
            3,
            "storage.filesystems[0].format",
        ),
        (
            json!({"passwd": {"users": [{"name": "a", "shouldExist": false}]}}),
            2,
            "passwd.users[0].shouldExist",
        ),
        (
            json!({"storage": {"files": [{"path": "/a", "contents": {"source": "http://a", "httpHeaders": [{"name": "a", "value": "b"}]}}]}}),
            1,
            "storage.files[0].contents.httpHeaders",
        ),
    ] {
        let config = config(body);
        assert_eq!(errors(&config), Vec::<String>::new());
        assert_eq!(needed(&config).unwrap(), v(oldest), "{config}");
        let problems = retarget(&config, v(oldest - 1)).unwrap_err();
        assert_eq!(problems.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), [path]);
        assert!(problems[0].message.contains(v(oldest - 1).as_str()), "{}", problems[0]);
        assert!(retarget(&config, v(oldest)).is_ok());
    }
    assert!(retarget(&json!({}), v(3)).is_err());
}

#[test]
fn a_version_is_told_from_what_is_none() {
    assert_eq!("3.6.0".parse::<Version>().unwrap(), Version::NEWEST);
    assert!("2.3.0".parse::<Version>().unwrap_err().contains("anew"));
    for text in ["", "3", "3.4", "3.4.0-experimental", "3.9.0", "x\ny"] {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
}

#[test]
fn a_name_that_is_nearly_known_is_recognised() {
    let known = ["path", "contents", "mode", "overwrite", "size_mib"];
    for (name, near) in [
        ("pth", Some("path")),
        ("contets", Some("contents")),
        ("sizeMiB", Some("size_mib")),
        ("mdoe", Some("mode")),
    ] {
        assert_eq!(closest(name, known.into_iter()), near, "{name}");
    }
    for name in ["x", "banana", "", "permissions"] {
        assert_eq!(closest(name, known.into_iter()), None, "{name}");
    }
}

#[test]
fn of_many_mistakes_as_many_are_told_as_one_can_read() {
    let links: Vec<Value> =
        (0..20_000).map(|n| json!({"path": format!("/l{n}"), "target": "/x", "hard": true})).collect();
    let files: Vec<Value> = (0..20_000).map(|n| json!({"path": format!("/l{n}/f")})).collect();
    let parts: Vec<Value> = (1..20_000).map(|n| json!({"number": n, "startMiB": 1, "sizeMiB": n})).collect();
    let config = json!({"ignition": {"version": "3.4.0"}, "storage": {"links": links, "files": files, "directories": files,
        "disks": [{"device": "/d", "partitions": parts}]}});
    assert_eq!(validate(&config).errors.len(), MOST);
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = [
        "path",
        "contents",
        "source",
        "files",
        "disks",
        "partitions",
        "units",
        "name",
        "luks",
        "clevis",
        "tang",
        "links",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "(data|http|arn|s3|gs):[/,;%a-z0-9:=?\\[\\]@]{0,20}".prop_map(Value::from),
        "/[a-z./]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((proptest::sample::select(words.to_vec()), inner), 0..5).prop_map(
                |fields| Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            ),
        ]
    })
}

proptest! {
    #[test]
    fn no_config_makes_the_judge_panic(storage in any_json(), systemd in any_json(), minor in 0usize..7) {
        let config = json!({"ignition": {"version": v(minor).as_str()}, "storage": storage, "systemd": systemd});
        let _ = (validate(&config), retarget(&config, v(0)), needed(&config), check_text(&config.to_string()));
    }

    #[test]
    fn no_source_makes_the_judge_panic(text in "\\PC{0,40}", tail in "[/,;%a-z0-9:=?\\[\\]@\"#. ]{0,30}", minor in 0u8..7) {
        let _ = url::check_source(&text, minor);
        for scheme in ["data:", "http://", "s3:", "arn:", ""] {
            let _ = url::check_source(&format!("{scheme}{tail}"), minor);
        }
    }

    #[test]
    fn no_unit_makes_the_judge_panic(text in "([\\[\\]=\\\\#;\r\n a-c\u{3000}]|Install){0,40}", noise in "\\PC{0,60}") {
        let _ = (unit::parse(&text), unit::parse(&noise));
    }

    #[test]
    fn no_text_makes_the_json_judge_panic(text in "\\PC{0,80}") {
        let _ = check_text(&text);
    }
}
