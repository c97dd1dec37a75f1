use super::*;
use serde_json::json;

fn context(vars: Value) -> Context {
    Context { machine: MachineContext::example(), vars: serde_json::from_value(vars).unwrap() }
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
    assert_eq!(wrongs[0].position, Some((8, 1)));
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
    let made = configs(&layers, &context(json!({}))).unwrap();
    assert!(content(&made[0]).contains("low") && content(&made[1]).contains("high"));
    let layers = [(name("base"), layer("{{ vars.none }}")), (name("worker"), layer("high"))];
    assert_eq!(configs(&layers, &context(json!({}))).unwrap_err()[0].path, "base: spec.butane");
}
