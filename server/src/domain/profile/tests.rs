use super::*;
use serde_json::json;

fn context(vars: Value) -> Context {
    Context::example(serde_json::from_value(vars).unwrap())
}

fn profile(butane: &str) -> ProfileSpec {
    serde_json::from_value(json!({"boot": "local", "butane": butane})).unwrap()
}

fn with_file(inline: &str) -> String {
    format!(
        "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/motd\n      contents:\n        inline: |\n          {inline}\n"
    )
}

fn content(config: &Value) -> String {
    config["storage"]["files"][0]["contents"]["source"].as_str().unwrap().to_owned()
}

#[test]
fn a_template_is_filled_in_for_the_machine() {
    let text = with_file(
        "{{ machine.name }} {{ machine.mac }} {{ machine.ip }} {{ machine.rack }}/{{ machine.unit }} {{ vars.zone }}",
    );
    let made = config(&profile(&text), &context(json!({"zone": "a"}))).unwrap().unwrap();
    let plain = content(&made.ignition).replace("%20", " ").replace("%2F", "/").replace("%3A", ":");
    for part in ["example", "02:00:00:00:00:01", "192.0.2.1", "r1/1", "a"] {
        assert!(plain.contains(part), "{part} is missing in {plain}");
    }
}

#[test]
fn a_text_without_marks_is_no_template() {
    assert!(is_fixed(&profile(&with_file("100 % { plain }"))));
    for marks in ["{{ vars.a }}", "{% if vars.a %}x{% endif %}", "{# note #}"] {
        assert!(!is_fixed(&profile(&with_file(marks))), "{marks}");
    }
}

#[test]
fn a_template_that_asks_for_what_is_not_there_is_wrong_at_its_line() {
    let wrongs = config(&profile(&with_file("{{ vars.zone }}")), &context(json!({}))).unwrap_err();
    assert_eq!(wrongs[0].path, "spec.butane");
    assert_eq!(wrongs[0].position, Some((8, 14)));
    assert!(wrongs[0].detail.starts_with("template: "), "{wrongs:?}");
}

#[test]
fn a_template_cannot_run_for_ever_or_grow_without_end() {
    for endless in [
        "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}{{ vars.big }}{% endfor %}",
    ] {
        let big = "x".repeat(100_000);
        let wrongs = config(&profile(endless), &context(json!({"big": big}))).unwrap_err();
        assert_eq!(wrongs[0].path, "spec.butane", "{endless}");
    }
}

#[test]
fn an_ignition_config_is_taken_as_it_is_and_checked() {
    let spec = |ignition: Value| -> ProfileSpec {
        serde_json::from_value(json!({"boot": "local", "ignition": ignition})).unwrap()
    };
    let good = json!({"ignition": {"version": "3.3.0"}});
    assert_eq!(config(&spec(good.clone()), &context(json!({}))).unwrap().unwrap().ignition, good);
    let wrongs = config(&spec(json!({"ignition": {"version": "9.9.9"}})), &context(json!({}))).unwrap_err();
    assert!(wrongs[0].path.starts_with("spec.ignition"), "{wrongs:?}");
}

#[test]
fn layers_come_in_their_order_and_a_wrong_one_is_named() {
    let name = |text: &str| text.parse::<Name>().unwrap();
    let layer = |text: &str| std::sync::Arc::new(profile(&with_file(text)));
    let layers = [(name("base"), layer("low")), (name("worker"), layer("high"))];
    let made = configs(&layers, &context(json!({})), None).unwrap();
    assert!(content(&made[0]).contains("low") && content(&made[1]).contains("high"));
    let layers = [(name("base"), layer("{{ vars.none }}")), (name("worker"), layer("high"))];
    assert_eq!(configs(&layers, &context(json!({})), None).unwrap_err()[0].path, "base: spec.butane");
}

#[test]
fn a_mistake_is_told_at_the_line_of_the_template_that_made_it() {
    let text = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n{% for n in vars.names %}\n    - path: /{{ n }}\n      mode: 0644\n{% endfor %}\n    - path: etc/a\n      mdoe: 0644\n";
    let wrongs = config(&profile(text), &context(json!({"names": ["a", "b", "b"]}))).unwrap_err();
    let told: Vec<_> = wrongs.iter().map(|w| (w.position.unwrap(), w.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            ((6, 1), "`/b` is given twice, first at storage.files[1]"),
            ((9, 13), "`etc/a` is not absolute"),
            ((10, 7), "`mdoe` is not known here, did you mean `mode`?"),
        ]
    );
    let odd = text.replace("etc/a\n      mdoe: 0644", "/etc/a\n      mode: 644");
    let made = config(&profile(&odd), &context(json!({"names": ["a", "b"]}))).unwrap().unwrap();
    assert!(made.warnings[0].starts_with("line 10: 644 is octal 1204"), "{:?}", made.warnings);
}

#[test]
fn everything_in_the_context_can_be_used() {
    let text = with_file(
        "{{ machine.labels['rack/row'] | default('none') }} {{ machine.uuid }} {{ machine.serial }} {{ subnet.name }} {{ subnet.cidr }} {{ subnet.gateway }} {{ subnet.dns | join(',') }} {{ subnet.domain }} {{ site.name }} {{ cluster.name }} {{ machine.facts.cpus.cores }}",
    );
    // The first version of Butane does not compress.
    let text = text.replace("1.5.0", "1.0.0");
    let mut context = context(json!({})).joining(Some(&"prod".parse().unwrap()));
    context.machine.facts = Some(json!({"cpus": {"cores": 7}}));
    let made = config(&profile(&text), &context).unwrap().unwrap();
    let plain = content(&made.ignition).replace("%20", " ").replace("%2F", "/").replace("%2C", ",");
    for part in ["none", "EXAMPLE1", "192.0.2.0/24 192.0.2.254 192.0.2.253 example.com example prod 7"] {
        assert!(plain.contains(part), "{part} is missing in {plain}");
    }
    for missing in [
        "{{ machine.facts.cpus }}",
        "{{ cluster.name }}",
        "{{ subnet.name }}",
        "{{ facts }}",
        "{{ machine.labels.role }}",
    ] {
        let bare = Context::new(MachineContext::example(), BTreeMap::new(), "dc1");
        assert!(config(&profile(&with_file(missing)), &bare).is_err(), "{missing}");
    }
}

#[test]
fn kernel_arguments_are_templates_that_cannot_smuggle_anything() {
    let args = |args: Value, vars: Value| {
        let spec: ProfileSpec = serde_json::from_value(json!({"boot": "local", "kernelArgs": args})).unwrap();
        kernel_args(&spec, &context(vars))
    };
    assert_eq!(
        args(
            json!([
                "quiet",
                "ip={{ machine.ip }}",
                "{% if vars.debug %}rd.debug{% endif %}",
                "console={{ vars.console }}"
            ]),
            json!({"debug": false, "console": "ttyS1,115200"})
        ),
        Ok(vec!["quiet".to_owned(), "ip=192.0.2.1".to_owned(), "console=ttyS1,115200".to_owned()])
    );
    for evil in ["a b", "a\nb", "${net0/mac}", "a;b", "a && b", "\u{7}", "ä", "\u{202e}x"] {
        let wrongs = args(json!(["x={{ vars.evil }}"]), json!({"evil": evil})).unwrap_err();
        assert_eq!((wrongs.len(), wrongs[0].path.as_str()), (1, "spec.kernelArgs[0]"), "{evil:?}");
    }
    let wrongs = args(
        json!([
            "{{ vars.none }}",
            "ok",
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
        ]),
        json!({}),
    )
    .unwrap_err();
    assert_eq!(
        wrongs.iter().map(|w| w.path.as_str()).collect::<Vec<_>>(),
        ["spec.kernelArgs[0]", "spec.kernelArgs[2]"]
    );
}

fn limit(newest: &str) -> Limit {
    Limit { image: "old".parse().unwrap(), newest: newest.parse().unwrap() }
}

#[test]
fn a_config_is_written_in_the_spec_that_its_image_takes() {
    let layers = [("a".parse::<Name>().unwrap(), std::sync::Arc::new(profile(&with_file("x"))))];
    let made = configs(&layers, &context(json!({})), Some(&limit("3.3.0"))).unwrap();
    assert_eq!(made[0]["ignition"]["version"], "3.3.0");
    let text = "variant: fcos\nversion: 1.5.0\nstorage:\n  luks:\n    - name: a\n      device: /dev/b\n      discard: true\n";
    let layers = [("a".parse::<Name>().unwrap(), std::sync::Arc::new(profile(text)))];
    let wrongs = configs(&layers, &context(json!({})), Some(&limit("3.3.0"))).unwrap_err();
    assert_eq!((wrongs[0].path.as_str(), wrongs[0].position), ("a: spec.butane", Some((7, 16))));
    assert_eq!(
        wrongs[0].detail,
        "image old takes Ignition specs up to 3.3.0: with Ignition spec 3.3.0, which is what the image understands: `discard` is ignored: it came with Ignition spec 3.4.0"
    );
}

#[test]
fn the_files_of_a_profile_go_into_its_config() {
    let spec: ProfileSpec = serde_json::from_value(json!({"boot": "local",
        "butane": "variant: fcos\nversion: 1.5.0\nstorage:\n  trees: [{local: t}]\n  files: [{path: /a, contents: {local: a.txt}}]\n",
        "files": {"a.txt": "hello", "t/bin/x": {"base64": "IyEvYmluL3NoCg==", "executable": true}, "t/l": {"link": "bin/x"}}}))
    .unwrap();
    let made = config(&spec, &context(json!({}))).unwrap().unwrap();
    assert_eq!(
        made.ignition["storage"],
        json!({"files": [{"path": "/a", "contents": {"compression": "", "source": "data:,hello"}},
            {"path": "/bin/x", "contents": {"source": "data:,%23!%2Fbin%2Fsh%0A", "compression": ""}, "mode": 0o755}],
            "links": [{"path": "/l", "target": "bin/x"}]})
    );
    assert_eq!(serde_json::from_value::<ProfileSpec>(serde_json::to_value(&spec).unwrap()).unwrap(), spec);
    let bare: ProfileSpec = serde_json::from_value(json!({"boot": "local", "files": {"a": "b"}})).unwrap();
    assert_eq!(config(&bare, &context(json!({}))).unwrap_err()[0].path, "spec.files");
}

fn layers(texts: &[(&str, &str)]) -> Vec<(Name, std::sync::Arc<ProfileSpec>)> {
    texts.iter().map(|(name, text)| (name.parse().unwrap(), std::sync::Arc::new(profile(text)))).collect()
}

#[test]
fn each_value_of_the_whole_says_which_layer_line_and_variable_it_is_from() {
    let base = "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n    - path: /etc/motd\n      mode: 0600\n      contents:\n        inline: |\n          one\n          {{ vars.zone }}\n";
    let top = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n{% if vars.open %}\n    - path: /etc/motd\n      mode: 0644\n{% endif %}\n";
    let context = context(json!({"zone": "a", "open": true}));
    let parts = parts(&layers(&[("base", base), ("top", top)]), &context, None).unwrap();
    let whole = merged(&parts, &context);
    assert_eq!(whole.ignition["ignition"]["version"], "3.4.0");
    let told = |path: &str| {
        let line = whole.lines.iter().find(|line| line.path == path).unwrap();
        let variables = line.variables.iter().cloned().collect::<Vec<_>>().join(" ");
        (line.profile.to_string(), line.position.unwrap(), variables)
    };
    assert_eq!(told("storage.files[0].mode"), ("top".into(), (7, 13), "vars.open".into()));
    assert_eq!(told("storage.files[0].contents.source"), ("base".into(), (9, 11), "vars.zone".into()));
    assert_eq!(told("storage.files[0].path").0, "top");
    let mut count = 0;
    fn leaves(value: &Value, count: &mut usize) {
        match value {
            Value::Object(fields) => fields.values().for_each(|value| leaves(value, count)),
            Value::Array(items) => items.iter().for_each(|value| leaves(value, count)),
            _ => *count += 1,
        }
    }
    leaves(&whole.ignition, &mut count);
    assert_eq!(whole.lines.len(), count, "every value has its origin");
}

#[test]
fn what_only_the_whole_gets_wrong_is_told_where_it_was_written() {
    let link = "variant: fcos\nversion: 1.5.0\nstorage:\n  links:\n    - {path: /opt, target: /srv}\n";
    let file = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /opt/a\n";
    let context = context(json!({}));
    let parts = parts(&layers(&[("base", link), ("top", file)]), &context, None).unwrap();
    let wrongs = check_whole(&parts, &context);
    assert_eq!(wrongs.len(), 1);
    assert_eq!((wrongs[0].path.as_str(), wrongs[0].position), ("top: spec.butane", Some((5, 13))));
    assert!(wrongs[0].detail.contains("leads through `/opt`"), "{wrongs:?}");
}

#[test]
fn bombs_and_ten_megabytes_end_in_an_error() {
    let mut bomb = String::from("variant: fcos\nversion: 1.5.0\nx0: &x0 [a, a]\n");
    for level in 1..40 {
        bomb.push_str(&format!(
            "x{level}: &x{level} [{}]\n",
            [format!("*x{}", level - 1).as_str(); 9].join(",")
        ));
    }
    let long = format!("variant: fcos\nversion: 1.5.0\n# {}\n", "x".repeat(10 << 20));
    let itself = "variant: fcos\nversion: 1.5.0\nstorage: &a {files: [*a]}\n".to_owned();
    let doubling = "{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}".to_owned();
    for text in [bomb, long, itself, doubling] {
        let wrongs = config(&profile(&text), &context(json!({}))).unwrap_err();
        assert_eq!(wrongs[0].path, "spec.butane");
    }
}

#[test]
fn no_template_takes_all_memory_or_time() {
    for greedy in [
        "{{ 'x' * 3000000000 }}",
        "{{ ([0] * 1000000000) | length }}",
        "{{ 10 ** 1000000 }}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{{ range(100000000) | list | length }}",
        "{{ 'x' | indent(2000000000) }}",
    ] {
        assert_eq!(
            config(&profile(greedy), &context(json!({}))).unwrap_err()[0].path,
            "spec.butane",
            "{greedy}"
        );
    }
}

/// A layer at random: files with modes and texts, and units; each value stands in a line of its own and is no other's.
fn random_layer(number: usize, files: &[(u8, bool, bool)], units: &[(u8, bool)]) -> String {
    let mut text =
        String::from("variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/anchor\n");
    for (at, (path, has_mode, has_text)) in files.iter().enumerate() {
        text += &format!("    - path: /etc/f{path}\n");
        if *has_mode {
            text += &format!("      mode: 0{}{}{at}\n", number + 4, at);
        }
        if *has_text {
            text += &format!("      contents:\n        inline: {{{{ vars.word }}}} t{number}x{at}\n");
        }
    }
    text += "systemd:\n  units:\n    - name: anchor.service\n      enabled: false\n";
    for (at, (name, has_contents)) in units.iter().enumerate() {
        text += &format!("    - name: u{name}.service\n");
        if *has_contents {
            text += &format!("      contents: \"# c{number}x{at}\"\n");
        } else {
            text += "      mask: true\n";
        }
    }
    text
}

/// A line with another value in it.
fn changed(line: &str) -> Option<String> {
    let (key, value) = line.trim_start_matches([' ', '-']).split_once(": ")?;
    let other = match (key, value) {
        ("mode", mode) => {
            format!("{}{}", &mode[..mode.len() - 1], (mode.as_bytes()[mode.len() - 1] - b'0' + 1) % 8)
        }
        ("mask", _) => "false".to_owned(),
        ("enabled", "false") => "true".to_owned(),
        ("contents", text) => text.replace("# c", "# d"),
        ("inline", text) => text.replace(" t", " s"),
        ("path", path) => format!("{path}other"),
        ("name", name) => format!("other{name}"),
        _ => return None,
    };
    Some(line.replace(value, &other))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    /// Where a value is said to be from, it is from: with another value in that line, it is another.
    #[test]
    fn a_value_changes_with_the_line_that_it_is_said_to_be_from(
        drawn in proptest::collection::vec((
            proptest::collection::btree_map(0_u8..5, (proptest::bool::ANY, proptest::bool::ANY), 0..5),
            proptest::collection::btree_map(0_u8..4, proptest::bool::ANY, 0..4),
        ), 1..4)
    ) {
        let texts: Vec<String> = drawn.iter().enumerate().map(|(number, (files, units))| {
            let files: Vec<_> = files.iter().map(|(path, (mode, text))| (*path, *mode, *text)).collect();
            let units: Vec<_> = units.iter().map(|(name, contents)| (*name, *contents)).collect();
            random_layer(number, &files, &units)
        }).collect();
        let made = |texts: &[String]| {
            let named: Vec<(String, &str)> =
                texts.iter().enumerate().map(|(n, text)| (format!("l{n}"), text.as_str())).collect();
            let named: Vec<(&str, &str)> = named.iter().map(|(name, text)| (name.as_str(), *text)).collect();
            let context = context(json!({"word": "w"}));
            let parts = parts(&layers(&named), &context, None).unwrap();
            merged(&parts, &context)
        };
        let whole = made(&texts);
        for line in &whole.lines {
            // These two Butane makes of the others.
            if line.path == "ignition.version" || line.path.ends_with(".compression") {
                continue;
            }
            let layer: usize = line.profile.as_str()[1..].parse().unwrap();
            let (at, _) = line.position.unwrap();
            let mut lines: Vec<String> = texts[layer].lines().map(str::to_owned).collect();
            let other = changed(&lines[at - 1]);
            proptest::prop_assert!(other.is_some(), "{} is from `{}`", line.path, lines[at - 1]);
            lines[at - 1] = other.unwrap();
            let mut others = texts.clone();
            others[layer] = lines.join("\n") + "\n";
            let after = made(&others);
            let now = after.lines.iter().find(|one| one.path == line.path).map(|one| &one.value);
            let named = line.path.ends_with(".path") || line.path.ends_with(".name");
            // Another name is another thing, which may stand elsewhere.
            let differs = if named { after.ignition != whole.ignition } else { now != Some(&line.value) };
            proptest::prop_assert!(differs, "{} in line {at} of layer {layer}:\n{}", line.path, texts[layer]);
            let uses = line.variables.contains("vars.word");
            proptest::prop_assert_eq!(uses, line.path.ends_with("contents.source"), "{}", line.path);
        }
    }
}

#[test]
fn a_kernel_line_that_a_kernel_would_cut_off_is_refused() {
    let with = |count: usize| ProfileSpec { kernel_args: vec!["x".repeat(99); count], ..profile("") };
    assert_eq!(kernel_args(&with(16), &context(json!({}))).map(|args| args.len()), Ok(16));
    let wrongs = kernel_args(&with(17), &context(json!({}))).unwrap_err();
    assert_eq!(wrongs[0].path, "spec.kernelArgs");
    assert!(
        wrongs[0].detail.starts_with("the kernel arguments are 1700 bytes together, and 1600 at the most")
    );
}

#[test]
fn a_config_that_is_too_much_for_an_initramfs_is_refused_as_a_whole() {
    // Noise, which is not compressed.
    let mut state = 1_u32;
    let mut noise = |bytes: usize| -> String {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from(state >> 24).unwrap() % 26)
        };
        (0..bytes).map(next).collect()
    };
    let mut text = |bytes: usize| {
        format!(
            "variant: fcos\nversion: 1.0.0\nstorage:\n  files: [{{path: /a, contents: {{inline: {}}}}}]\n",
            noise(bytes)
        )
    };
    let (one, other) = (text(3_500_000), text(3_500_000).replace("/a,", "/b,"));
    let whole = |all: &[(&str, &str)]| {
        let context = context(json!({}));
        check_whole(&parts(&layers(all), &context, None).unwrap(), &context)
    };
    assert!(whole(&[("base", &one)]).is_empty());
    let wrongs = whole(&[("base", &one), ("top", &other)]);
    assert_eq!((wrongs.len(), wrongs[0].path.as_str()), (1, "spec.layers"));
    assert!(wrongs[0].detail.contains("8388608 at the most"), "{}", wrongs[0].detail);
}
