use super::*;
use crate::domain::profile::{config, configs, kernel_args};
use proptest::prelude::*;
use serde_json::json;

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn spec(butane: &str, secrets: Value) -> ProfileSpec {
    serde_json::from_value(json!({"boot": "local", "butane": butane, "secrets": secrets})).unwrap()
}

fn file(inline: &str) -> String {
    format!(
        "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/a\n      contents:\n        inline: {inline}\n"
    )
}

fn context() -> Context {
    let mut context = Context::example(serde_json::from_value(json!({"env": "prod"})).unwrap());
    context.machine.facts = Some(json!({"hostname": "liar"}));
    context.joining(Some(&"k1".parse().unwrap()))
}

fn place_of(reference: Value) -> Result<Place, String> {
    place(&serde_json::from_value(reference).unwrap(), &context())
}

#[test]
fn a_reference_is_filled_in_with_what_operators_declared() {
    let vault = place_of(json!({"vault": "kv/data/{{ cluster.name }}/{{ machine.name }}#{{ vars.env }}"}));
    assert_eq!(vault, Ok(Place::Vault { path: "kv/data/k1/example".into(), key: "prod".into() }));
    assert_eq!(place_of(json!({"file": "/s/{{ machine.rack }}/a"})), Ok(Place::File("/s/r1/a".into())));
    assert_eq!(
        place_of(json!({"env": "PILOTLIGHT_SECRET_A1"})),
        Ok(Place::Env("PILOTLIGHT_SECRET_A1".into()))
    );
    // What a machine says of itself would let it choose another's secret.
    for said in ["machine.facts.hostname", "machine.mac", "machine.ip", "subnet.name", "secrets.a"] {
        assert!(place_of(json!({"file": format!("/s/{{{{ {said} }}}}")})).is_err(), "{said}");
    }
}

#[test]
fn a_reference_leads_nowhere_else() {
    for (reference, why) in [
        (json!({"file": "etc/a"}), "absolute"),
        (json!({"file": "/s/../etc/shadow"}), "simply"),
        (json!({"file": "/s//a"}), "simply"),
        (json!({"file": "/s/a/"}), "simply"),
        (json!({"file": "/"}), "simply"),
        (json!({"file": "/s/a\n"}), "printable"),
        (json!({"file": format!("/{}", "a".repeat(600))}), "bytes"),
        (json!({"env": "PATH"}), "PILOTLIGHT_SECRET_"),
        (json!({"env": "PILOTLIGHT_SECRET_"}), "PILOTLIGHT_SECRET_"),
        (json!({"env": "PILOTLIGHT_SECRETS_FILES"}), "PILOTLIGHT_SECRET_"),
        (json!({"env": "PILOTLIGHT_DATABASE_URL"}), "PILOTLIGHT_SECRET_"),
        (json!({"env": "PILOTLIGHT_SECRET_a=b"}), "PILOTLIGHT_SECRET_"),
        (json!({"vault": "kv/data/a"}), "path#key"),
        (json!({"vault": "kv/data/a#"}), "path#key"),
        (json!({"vault": "kv/a#b"}), "MOUNT/data/PATH"),
        (json!({"vault": "data/a#b"}), "MOUNT/data/PATH"),
        (json!({"vault": "kv/data#b"}), "MOUNT/data/PATH"),
        (json!({"vault": "kv/data/../../sys/seal#b"}), "simply"),
        (json!({"vault": "/kv/data/a#b"}), "simply"),
        (json!({"vault": "kv/data/a?version=1#b"}), "holds `?`"),
        (json!({"vault": "kv/data/%2e%2e#b"}), "holds `%`"),
    ] {
        let wrong = place_of(reference.clone()).unwrap_err();
        assert!(wrong.contains(why), "{reference}: {wrong}");
    }
}

#[test]
fn what_is_declared_nearer_to_the_machine_wins() {
    let layer = |at: &str| std::sync::Arc::new(spec("", json!({"a": {"file": at}, "b": {"file": at}})));
    let layers = [("base".parse().unwrap(), layer("/base")), ("worker".parse().unwrap(), layer("/worker"))];
    let group: GroupSpec = serde_json::from_value(
        json!({"profile": "worker", "secrets": {"b": {"file": "/group"}, "c": {"file": "/group"}}}),
    )
    .unwrap();
    let machine: MachineSpec =
        serde_json::from_value(json!({"secrets": {"c": {"env": "PILOTLIGHT_SECRET_C"}}})).unwrap();
    let (workers, n1) = ("workers".parse().unwrap(), "n1".parse().unwrap());
    let all = declared(&layers, Some((&workers, &group)), Some((&n1, &machine)));
    let told: Vec<String> =
        all.values().map(|one| format!("{} {} {}", one.name, one.from, one.reference)).collect();
    assert_eq!(
        told,
        [
            "a profile worker file /worker",
            "b group workers file /group",
            "c machine n1 env PILOTLIGHT_SECRET_C"
        ]
    );
}

#[test]
fn only_what_templates_use_is_looked_for() {
    let declared = |spec: &ProfileSpec| {
        let layers = [("p".parse().unwrap(), std::sync::Arc::new(spec.clone()))];
        let declared = declared(&layers, None, None);
        used(&layers, &declared).into_iter().map(|one| one.name.to_string()).collect::<Vec<_>>()
    };
    let secrets = json!({"a": {"file": "/a"}, "b": {"file": "/b"}});
    for (text, expected) in [
        ("x", &[][..]),
        ("{{ machine.name }}", &[]),
        ("{# secrets.a #}", &[]),
        ("{{ secrets.a }}", &["a"]),
        ("{% if secrets.b %}x{% endif %}", &["b"]),
        ("{{ secrets.none | default('') }}", &[]),
        ("{{ secrets['a'] }}", &["a", "b"]),
        ("{% set s = secrets %}{{ s.a }}", &["a", "b"]),
        ("{% for s in secrets %}{{ s }}{% endfor %}", &["a", "b"]),
    ] {
        let found = declared(&spec(&file(text), secrets.clone()));
        assert!(expected.iter().all(|name| found.contains(&(*name).to_owned())), "{text}: {found:?}");
        assert!(!expected.is_empty() || found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn kernel_arguments_take_no_secrets() {
    for argument in [
        "a={{ secrets.a }}",
        "{% if secrets.a %}b{% endif %}",
        "{{ secrets['a'] }}",
        "{% set x = secrets %}{{ x }}",
    ] {
        let mut spec = spec("", json!({"a": {"file": "/a"}}));
        spec.butane = None;
        spec.kernel_args = vec![argument.to_owned()];
        let context = context().with_secrets(SecretValues::masks(spec.secrets.keys()));
        let wrongs = kernel_args(&spec, &context).unwrap_err();
        assert_eq!(wrongs[0].path, "spec.kernelArgs[0]");
        assert!(wrongs[0].detail.contains("cannot hold secrets"), "{argument}: {wrongs:?}");
    }
}

#[test]
fn a_secret_that_nobody_declares_is_named_at_its_line() {
    for text in ["{{ secrets.db }}", "{{ secrets.db | indent(4) }}", "{{ secrets.db | default('') }}"] {
        let wrongs = config(&spec(&file(text), json!({})), &context()).unwrap_err();
        assert_eq!(wrongs[0].position, Some((7, 1)));
        assert!(wrongs[0].detail.contains("there is no secret `db`"), "{wrongs:?}");
    }
}

#[test]
fn what_people_see_is_made_with_masks_even_where_nobody_asked_for_them() {
    let long = "x".repeat(3000);
    let text = file(&format!("\"{long}{{{{ secrets.db | b64encode }}}}{{{{ secrets.db }}}}\""));
    let layers = [("p".parse().unwrap(), std::sync::Arc::new(spec(&text, json!({"db": {"file": "/db"}}))))];
    let masked = configs(&layers, &context(), None).unwrap();
    assert_eq!(masked[0]["storage"]["files"][0]["contents"]["compression"], "gzip", "the mask is inside");
    let values = SecretValues::new([(name("db"), "hunter2".to_owned())]);
    let real = configs(&layers, &context().with_secrets(values.clone()), None).unwrap();
    assert_ne!(real, masked);
    assert!(differ_in_texts_only(&masked[0], &real[0]));
    assert!(!format!("{values:?} {:?}", context().with_secrets(values.clone())).contains("hunter2"));
    // No mask comes to a machine in the place of a value that is missing.
    let other = SecretValues::new([(name("other"), "x".to_owned())]);
    assert!(configs(&layers, &context().with_secrets(other), None).is_err());
}

proptest! {
    #[test]
    fn a_quoted_secret_changes_one_text_and_nothing_else(value in any::<String>().prop_filter("not empty, no NUL", |v| !v.is_empty() && !v.contains('\0'))) {
        let spec = std::sync::Arc::new(spec(&file("{{ secrets.db | tojson }}"), json!({"db": {"file": "/db"}})));
        let layers = [("p".parse().unwrap(), spec)];
        let masked = configs(&layers, &context(), None).unwrap();
        let real = configs(&layers, &context().with_secrets(SecretValues::new([(name("db"), value.clone())])), None);
        let real = real.map_err(|wrongs| TestCaseError::fail(format!("{value:?}: {wrongs:?}")))?;
        prop_assert!(differ_in_texts_only(&masked[0], &real[0]));
        prop_assert_eq!(plain(&real[0]), value.into_bytes());
    }

    #[test]
    fn a_secret_that_is_not_quoted_cannot_add_to_a_config(value in "[a-z:\\-\\[\\]{}# \n'\"]{1,40}") {
        let spec = std::sync::Arc::new(spec(&file("{{ secrets.db }}"), json!({"db": {"file": "/db"}})));
        let layers = [("p".parse().unwrap(), spec)];
        let masked = configs(&layers, &context(), None).unwrap();
        let values = SecretValues::new([(name("db"), value)]);
        if let Ok(real) = configs(&layers, &context().with_secrets(values), None)
            && differ_in_texts_only(&masked[0], &real[0])
        {
            prop_assert_eq!(&real[0]["storage"]["files"][0]["path"], "/etc/a");
            prop_assert_eq!(real[0]["storage"]["files"].as_array().map(Vec::len), Some(1));
        }
    }
}

/// What is in the config's file: of a data URL (RFC 2397), compressed or not.
fn plain(config: &Value) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use std::io::Read;
    let contents = &config["storage"]["files"][0]["contents"];
    let url = contents["source"].as_str().unwrap();
    let (kind, data) = url.strip_prefix("data:").unwrap().split_once(',').unwrap();
    let bytes = if kind.ends_with(";base64") {
        STANDARD.decode(data).unwrap()
    } else {
        let mut bytes = Vec::new();
        let mut rest = data.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            if *first == b'%' {
                bytes.extend(hex::decode(&after[..2]).unwrap());
                rest = &after[2..];
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        bytes
    };
    if contents["compression"] != "gzip" {
        return bytes;
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
    plain
}
