use super::*;
use crate::domain::profile::template::fill;
use serde_json::json;

fn try_out(text: &str) -> Result<String, BadTemplate> {
    let nodes = json!([{"a": 1, "name": "n"}, {"name": "m"}]);
    fill(
        text,
        &json!({"vars": {"text": "x\ny", "list": ["a", "b"], "nothing": null, "nodes": nodes, "on": true}}),
    )
}

/// The names that the engine has, as it prints them itself.
fn names(of: &str) -> Vec<String> {
    let printed = format!("{:?}", *ENGINE);
    let (_, rest) = printed.split_once(&format!("{of}: ")).unwrap();
    let (all, _) = rest[1..].split_once(['}', ']']).unwrap();
    let names: Vec<String> = all.split(", ").map(|name| name.trim_matches('"').to_owned()).collect();
    assert!(names.len() > 20, "{printed}");
    names
}

#[test]
fn no_filter_takes_what_is_not_there() {
    for filter in names("filters").iter().filter(|name| !["default", "d"].contains(&name.as_str())) {
        for args in ["", "('a')", "(2)", "('a', 'b')", "(none)", "([1])"] {
            for missing in
                ["vars.none", "[vars.none]", "{'a': vars.none}", "[1, [{'a': vars.none}]]", "nobody"]
            {
                let text = format!("{{{{ {missing} | {filter}{args} }}}}");
                assert!(try_out(&text).is_err(), "{text}: {:?}", try_out(&text));
            }
        }
        for value in ["'abc'", "[1, 2]", "3", "{'a': 1}", "'abc' | list", "true"] {
            for args in [
                "(vars.none)",
                "(vars.none, 1)",
                "('a', vars.none)",
                "(attribute=vars.none)",
                "('a', [vars.none])",
            ] {
                let text = format!("{{{{ {value} | {filter}{args} }}}}");
                assert!(try_out(&text).is_err(), "{text}: {:?}", try_out(&text));
            }
        }
        let block = format!("{{% filter {filter}(vars.none) %}}a{{% endfilter %}}");
        assert!(try_out(&block).is_err(), "{block}");
    }
    assert_eq!(try_out("{{ vars.none | default('b') }}{{ vars.text | d('b') }}"), Ok("bx\ny".into()));
}

#[test]
fn no_test_takes_what_is_not_there() {
    for test in names("tests").iter().filter(|name| !["defined", "undefined"].contains(&name.as_str())) {
        if test.starts_with(|c: char| !c.is_alphabetic()) {
            continue;
        }
        for question in [
            format!("vars.none is {test}"),
            format!("vars.none is {test}('a')"),
            format!("vars.none is {test}(['a'])"),
            format!("vars.none is {test}(1)"),
            format!("vars.none is not {test}('a')"),
            format!("'a' is {test}(vars.none)"),
            format!("1 is {test}(vars.none)"),
            format!("[vars.none] is {test}"),
            format!("[vars.none] is {test}([])"),
            format!("vars.nodes | selectattr('a', '{test}', 1) | list"),
            format!("vars.nodes | rejectattr('a', '{test}', 1) | list"),
        ] {
            assert!(try_out(&format!("{{{{ {question} }}}}")).is_err(), "{question}");
        }
    }
    assert_eq!(try_out("{{ vars.none is defined or vars.on is undefined }}"), Ok("False".into()));
    assert_eq!(
        try_out("{{ vars.nodes | selectattr('a', 'defined') | map(attribute='name') | join }}"),
        Ok("n".into())
    );
}

#[test]
fn nor_does_anything_else() {
    for text in [
        "{{ vars.none }}",
        "{{ none }}",
        "{{ vars.nothing }}",
        "{{ [vars.none] }}",
        "{{ vars.none == 'a' }}",
        "{{ vars.none ~ 'a' }}",
        "{{ 'a' ~ vars.none }}",
        "{{ vars.none or 1 }}",
        "{{ not vars.none }}",
        "{{ 'x' if vars.none else 'y' }}",
        "{{ 'a' in vars.none }}",
        "{{ vars.none in ['a'] }}",
        "{{ range(vars.none) }}",
        "{{ dict(a=vars.none) }}",
        "{{ dict(vars.none) }}",
        "{{ namespace(a=1) }}",
        "{{ [1, 2][9] }}",
        "{{ [] | first }}",
        "{{ vars.text[vars.none:] }}",
        "{{ vars.nodes | map(attribute='a') | join(',') }}",
        "{% set x = vars.none %}{{ x | upper }}",
        "{% for i in vars.none %}a{% else %}b{% endfor %}",
        "{% if vars.none %}a{% endif %}",
        "{% macro f(a) %}{{ a | indent }}{% endmacro %}{{ f() }}",
        "{% with x = vars.none %}{{ x is string }}{% endwith %}",
        "{{ debug() }}",
        "{% include 'a' ignore missing %}",
    ] {
        assert!(try_out(text).is_err(), "{text}: {:?}", try_out(text));
    }
}

#[test]
fn what_is_wrong_is_told_at_its_line_and_column() {
    let told = |text: &str| {
        let bad = try_out(text).unwrap_err();
        (bad.position, bad.message)
    };
    let here = |line, column, message: &str| (Some((line, column)), message.to_owned());
    assert_eq!(
        told("a\n  b {{ vars.none }}\n"),
        here(2, 8, "template: undefined value: `vars.none` is undefined")
    );
    assert_eq!(told("ä {{ vars.none | indent(4) }}").0, Some((1, 18)), "where the filter is");
    assert_eq!(told("a\n{{ nobody.name }}").0, Some((2, 4)));
    assert_eq!(told("a\n{% if x").0.unwrap().0, 2);
    assert_eq!(told("a\n\n {{ vars.text | upperr }}").0, Some((3, 17)));
    assert!(told("{{ vars.nothing }}").1.contains("(null)"));
}

#[test]
fn filters_and_tests_do_what_they_did() {
    for (text, wanted) in [
        ("{{ vars.text | indent(2) }}", "x\n  y"),
        ("{{ vars.text | indent(width=2, first=true) }}", "  x\n  y"),
        ("{{ vars.list | join(',') | upper }}", "A,B"),
        ("{{ vars.list | map('upper') | join('-') }}", "A-B"),
        ("{{ vars.nodes | map(attribute='name') | sort | join }}", "mn"),
        ("{{ vars.nodes | map(attribute='a', default=7) | join(' ') }}", "1 7"),
        ("{{ vars.nodes | rejectattr('name', 'eq', 'm') | length }}", "1"),
        ("{{ vars.list | tojson }} {{ 'a\"b' | tojson }}", r#"["a","b"] "a\"b""#),
        ("{{ 'abc' | b64encode }}{{ 'a,b' | split(',') | last }}", "YWJjb"),
        ("{{ 'abc' | replace('b', 'x') }} {{ range(3) | list | tojson }}", "axc [0,1,2]"),
        ("{% for a, b in vars.list | zip([1, 2]) %}{{ a }}{{ b }}{% endfor %}", "a1b2"),
        ("{% for k, v in {'a': 1} | items %}{{ k }}{{ v }}{% endfor %}", "a1"),
        ("{{ 4 is divisibleby(2) and 3 is odd and 'a' in vars.list and 'a' is in(vars.list) }}", "True"),
        ("{{ vars.nodes | map(attribute='a', default=0) | sum }}", "1"),
        (
            "{% for i in [1] %}{% for j in [2] %}{% for k in [3] %}{% if k %}{% with l = 4 %}{{ i }}{{ l }}{% endwith %}{% endif %}{% endfor %}{% endfor %}{% endfor %}",
            "14",
        ),
        ("{{ [3, 1, 2] | sort | reverse | list | tojson }}{{ 'a' | default('b') }}", "[3,2,1]a"),
        ("{{ vars.nodes | groupby('name') | length }}{{ {'b': 1, 'a': 2} | dictsort | length }}", "22"),
        ("{{ '%s-%d' | format('a', 3) }}{{ ' a ' | trim }}", "a-3a"),
    ] {
        assert_eq!(try_out(text), Ok(wanted.into()), "{text}");
    }
}

/// Templates that take all the stack, time or memory that there is, if they are let. Some did end the process.
fn greedy() -> Vec<String> {
    let chain = |first: &str, again: &str, last: &str| format!("{first}{}{last}", again.repeat(20_000));
    let mut all = vec![
        chain("{{ ", "not ", "1 }}"),
        chain("{{ 1", " ~ 1", " }}"),
        chain("{{ 1", " | int", " }}"),
        chain("{{ a", ".a", " }}"),
        chain("{{ a", "[0]", " }}"),
        chain("{{ a", "()", " }}"),
        chain("{{ ", "-", "1 }}"),
        chain("{{ 1", " if 1 else 1", " }}"),
        chain("{{ 1", " and 1", " }}"),
        chain("{{ 1", " < 1", " }}"),
        chain("{{ 1", " is defined", " }}"),
        chain("{{ ", "(", "1 }}"),
        chain("{{ ", "[", "1 }}"),
        chain("{{ {'a': {}} ", "~ 1", " }}"),
        chain("{% if 0 %}", "{% elif 0 %}", "{% endif %}"),
        chain("", "{% if 1 %}", ""),
        chain("", "{% for a in [1] %}", ""),
        format!("{{{{ range({}) | list | length }}}}", 10_u64.pow(9)),
        "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}".into(),
        "{{ 'x' * 100000000 }}".into(),
        "{{ ([0] * 1000000000) | length }}".into(),
        "{{ ([0] * 1000000000) | reverse | first }}".into(),
        "{{ 10 ** 1000000 }}".into(),
        "{{ (['x' * 1000] * 100000) | join('') | length }}".into(),
        "{{ range(99999) | join('x' * 5000) }}".into(),
        "{{ 'x' | indent(2000000000) }}".into(),
        "{{ 'x' | indent(width=2000000000, first=true) }}".into(),
        "{{ '%2000000000d' | format(1) }}".into(),
        "{{ 'x' | replace('', 'y' * 1000) | replace('', 'y' * 1000) | replace('', 'y' * 1000) }}".into(),
        "{{ [1] | batch(2000000000, 'x') | list | length }}{{ [1] | slice(2000000000) | list | length }}".into(),
        "{{ 1.5 | round(2000000000) }}{{ 'x' * 2000000000 }}".into(),
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}".into(),
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(0) }}".into(),
        "{% macro f() %}{{ caller() }}{% call f() %}{{ f() }}{% endcall %}{% endmacro %}{% call f() %}x{% endcall %}".into(),
        "{% macro f(x, n) %}{% if n > 60 %}{{ x | length }}{{ x == [x] }}{% endif %}{{ f(x + x, n + 1) }}{% endmacro %}{{ f([1], 0) }}".into(),
        "{% set n = namespace(x=[]) %}{% for i in range(13000) %}{% set n.x = [n.x] %}{% endfor %}".into(),
        "{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}".into(),
    ];
    all.push(format!("{{{{ vars.text{} }}}}", " | tojson".repeat(140)));
    all
}

#[test]
fn no_template_takes_all_the_stack_time_or_memory() {
    // One that is not stopped would never end here.
    for text in greedy() {
        assert!(try_out(&text).is_err(), "{text:.90}");
        assert!(asked(&text).len() < 10, "{text:.90}");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 1 << 20, "{peak} kB at the most");
}
