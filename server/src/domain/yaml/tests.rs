use super::*;
use proptest::prelude::*;

fn one(text: &str) -> Node {
    let mut documents = parse_documents(text).unwrap();
    assert_eq!(documents.len(), 1, "{documents:?}");
    documents.remove(0)
}

fn at(line: usize, column: usize) -> Position {
    Position { line, column }
}

#[test]
fn a_mode_written_in_octal_keeps_its_meaning() {
    let node = one("a: 0644\nb: 0o644\nc: '0644'\nd: 0x10\ne: 0b11\nf: -017\ng: 1_000\nh: 089\n");
    let values: Vec<_> =
        ["a", "b", "c", "d", "e", "f", "g", "h"].map(|k| node.get(k).unwrap().value.clone()).into();
    assert_eq!(
        values,
        [
            Value::Int(0o644),
            Value::Int(0o644),
            Value::Str("0644".into()),
            Value::Int(16),
            Value::Int(3),
            Value::Int(-15),
            Value::Int(1000),
            Value::Float(89.0)
        ]
    );
    assert_eq!(node.get("a").unwrap().text(), Some("0644"));
}

#[test]
fn plain_words_are_texts_and_only_true_and_false_are_flags() {
    let node =
        one("[yes, No, on, true, False, ~, null, 1.5, .inf, 1e3, 1.2.3, --, '', 2001-01-01, +, 0x, 1_, _1]");
    let json = node.to_json().to_string();
    assert_eq!(
        json,
        r#"["yes","No","on",true,false,null,null,1.5,".inf",1000.0,"1.2.3","--","","2001-01-01","+","0x",1,"_1"]"#
    );
}

#[test]
fn several_documents_are_read_and_empty_ones_left_out() {
    let documents = parse_documents("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n").unwrap();
    assert_eq!(
        documents.iter().map(|d| d.to_json().to_string()).collect::<Vec<_>>(),
        [r#"{"a":1}"#, r#"{"b":2}"#]
    );
    assert_eq!(documents[1].pos, at(6, 1));
    assert!(parse_documents("").unwrap().is_empty());
}

#[test]
fn a_key_given_twice_is_shown_at_its_second_place() {
    let error = parse_documents("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n").unwrap_err();
    assert_eq!(
        (error.line, error.column, error.message.as_str()),
        (5, 3, "`c` is given twice, first in line 3")
    );
}

#[test]
fn a_broken_text_is_located() {
    for (text, line) in [("a: [1,\nb", 1), ("a: 1\n b: 2\n", 2), ("a: *x", 1), ("a: 'b", 1), ("- a\nb: c", 2)]
    {
        let error = parse_documents(text).unwrap_err();
        assert!(error.line >= line && error.column >= 1 && !error.message.is_empty(), "{text:?}: {error}");
    }
}

#[test]
fn paths_are_found_and_the_longest_part_of_one_that_is_not_there() {
    let node = one("spec:\n  ranges: [a,\n    b]\n  labels:\n    a.b/c: d\n    a: {b: e}\n");
    assert_eq!(node.locate("spec.ranges[1]"), Some(at(3, 5)));
    assert_eq!(node.locate("spec.ranges[7]"), node.locate("spec.ranges"));
    assert_eq!(node.locate("spec.nothing.at.all"), Some(at(2, 3)));
    assert_eq!(node.locate("spec.labels.a.b/c"), Some(at(5, 12)));
    assert_eq!(node.locate("spec.labels.a.b"), Some(at(6, 12)));
    assert_eq!(node.locate_key("spec.labels.a.b/c"), Some(at(5, 5)));
    assert_eq!(node.locate_key("spec.ranges"), Some(at(2, 3)));
    assert_eq!(node.locate(""), Some(at(1, 1)));
    assert_eq!(node.locate("."), Some(at(1, 1)));
    assert_eq!(node.locate("other"), None);
    assert_eq!(node.at("spec.ranges[0]").and_then(Node::text), Some("a"));
}

#[test]
fn a_place_in_a_block_of_text_is_a_place_in_the_file() {
    let file = "spec:\n  name: x\n  butane: |\n    variant: fcos\n    storage:\n      - y\n";
    let node = one(file);
    let text = node.at("spec.butane").unwrap();
    assert_eq!(text.text(), Some("variant: fcos\nstorage:\n  - y\n"));
    assert_eq!(text.inner(at(1, 1)), at(4, 5));
    assert_eq!(text.inner(at(3, 5)), at(6, 9));

    let node = one("a: |\n\n\n   late\n   r\n");
    assert_eq!(node.get("a").unwrap().inner(at(3, 1)), at(4, 4));
    let node = one("a: |2-\n    deep\n");
    assert_eq!(node.get("a").unwrap().inner(at(1, 3)), at(2, 5));
    let node = one("a: 'quoted'\nb: plain\nc: \"q\\nx\"\n");
    assert_eq!(node.get("a").unwrap().inner(at(1, 2)), at(1, 6));
    assert_eq!(node.get("b").unwrap().inner(at(1, 2)), at(2, 5));
    assert_eq!(node.get("c").unwrap().inner(at(2, 1)), at(3, 4));
}

#[test]
fn anchors_aliases_and_merges_unfold() {
    let node =
        one("base: &b {x: 1, y: 2}\nhere:\n  <<: *b\n  y: 3\nlist: [*b]\nboth: {<<: [{z: 1}, *b], q: 0}\n");
    assert_eq!(
        node.to_json().to_string(),
        r#"{"base":{"x":1,"y":2},"here":{"y":3,"x":1},"list":[{"x":1,"y":2}],"both":{"q":0,"z":1,"x":1,"y":2}}"#
    );
    assert_eq!(node.locate("list[0]"), Some(at(5, 8)));
    assert!(parse_documents("a: &a [*a]").unwrap_err().message.contains("alias"));
    assert!(parse_documents("a: {<<: 1}").is_err());
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..40 {
        let last = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", [last.as_str(); 10].join(",")));
    }
    assert!(parse_documents(&text).unwrap_err().message.contains("unfolds"));
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), ["*a"; 1000].join(","));
    assert!(parse_documents(&long).is_err());
    assert!(parse_documents(&"[".repeat(100_000)).is_err());
    assert!(parse_documents(&"- ".repeat(100_000)).is_err());
    assert!(parse_documents(&"a".repeat(5 << 20)).is_err());
}

#[test]
fn tags_say_what_a_scalar_is_and_unknown_ones_are_refused() {
    assert_eq!(one("[!!str 1, !!int 0x1, !!float 2, ! 3]").to_json().to_string(), r#"["1",1,2.0,"3"]"#);
    for text in ["!!int x", "!custom a", "!!binary YQ==", "!!python/object:x {}", "!!set {a}"] {
        assert!(parse_documents(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        if let Ok(documents) = parse_documents(&text) {
            for node in documents {
                let _ = (node.to_json(), node.locate(&text), node.inner(Position::START));
            }
        }
    }

    #[test]
    fn no_text_that_looks_like_yaml_makes_the_reader_panic(text in "([-:?&*!|>'\"%@`{}\\[\\],# \n\t0-9a-c<]|\r\n){0,120}") {
        if let Ok(documents) = parse_documents(&text) {
            for node in documents {
                let _ = (node.to_json(), node.locate(&text), node.inner(Position { line: usize::MAX, column: usize::MAX }));
            }
        }
    }

    #[test]
    fn json_is_yaml(number in any::<i64>(), words in proptest::collection::vec("[a-zA-Z0-9 :#'\\\\\"/-]{0,12}", 0..6)) {
        let json = serde_json::json!({"n": number, "w": words, "deep": {"x": [null, true]}});
        prop_assert_eq!(one(&json.to_string()).to_json(), json);
    }
}
