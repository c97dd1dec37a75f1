use super::*;
use pilotlight_types::api::{BootChange, BootPart, Guard, PlannedChange};

fn plan() -> Plan {
    let change = |kind, name: &str, change, danger: Option<&str>| PlannedChange {
        kind,
        name: name.into(),
        change,
        revision: (change != Change::Created).then_some(3),
        diff: vec!["@@ -1,1 +1,1 @@".into(), "-a".into(), "+b".into()],
        danger: danger.map(str::to_owned),
    };
    Plan {
        hash: "12ab".into(),
        changes: vec![
            change(Kind::Profile, "worker", Change::Updated, None),
            change(Kind::Machine, "n1", Change::Deleted, Some("n1 is active and runs worker@3")),
        ],
        unchanged: 4,
        boots: vec![BootChange {
            machines: vec!["n1".into(), "n2".into()],
            before: "it boots".into(),
            after: "it boots".into(),
            parts: vec![BootPart { part: "script".into(), diff: vec!["-x".into(), "+y".into()] }],
        }],
        provision: Vec::new(),
        machines: 2,
        hidden: 0,
        guard: Guard { limit: 1, counted: 2, needs: Some(2) },
        warnings: vec!["Profile worker: line 3: <odd>".into()],
    }
}

#[test]
fn a_plan_reads_like_this() {
    let expected = "\
!!! Machine n1 would be DELETED: n1 is active and runs worker@3
~ Profile worker (revision 3)
    @@ -1,1 +1,1 @@
    -a
    +b
- Machine n1 (revision 3)
    @@ -1,1 +1,1 @@
    -a
    +b

~ next boot, 2 machines: n1, n2
    script:
      -x
      +y
    (of n1; for the others the same with their own names and addresses)
warning: Profile worker: line 3: <odd>

Plan: 0 to create, 1 to update, 1 to delete, 4 unchanged. The next boots of 2 machines differ.
To apply it, --allow-machines 2 is needed: the guard lets 1 through at once.
Plan hash: 12ab
";
    assert_eq!(text::render(&plan(), false), expected);
    let none = Plan {
        changes: Vec::new(),
        boots: Vec::new(),
        machines: 0,
        guard: Guard { limit: 1, counted: 0, needs: None },
        warnings: Vec::new(),
        ..plan()
    };
    assert_eq!(text::render(&none, false), "No change: 4 documents as they are.\n");
}

#[test]
fn long_differences_are_cut_unless_all_is_asked_for() {
    let mut long = plan();
    long.changes[0].diff = (0..100).map(|n| format!("+{n}")).collect();
    long.boots[0].machines = (0..100).map(|n| format!("n{n}")).collect();
    let short = text::render(&long, false);
    assert!(short.contains("… 60 more lines") && short.contains(" and 80 more") && !short.contains("+99"));
    let all = text::render(&long, true);
    assert!(all.contains("+99") && all.contains("n99") && !all.contains("more"));
}

#[test]
fn markdown_is_folded_escaped_and_bounded() {
    let shown = markdown::render(&plan());
    assert!(
        shown.contains("<details><summary><b>update</b> Profile worker</summary>\n\n```diff\n"),
        "{shown}"
    );
    assert!(shown.contains("&lt;odd&gt;") && shown.contains("Plan hash: `12ab`"), "{shown}");
    assert_eq!(shown.matches("<details>").count(), shown.matches("</details>").count());
    let mut fenced = plan();
    fenced.changes[0].diff = vec!["+```".into(), "+</details>".into()];
    assert!(markdown::render(&fenced).contains("````diff\n+```\n"));
    let mut huge = plan();
    huge.changes = vec![huge.changes[0].clone(); 1000];
    huge.changes[0].diff = vec!["+x".repeat(50); 10_000];
    let shown = markdown::render(&huge);
    assert!(shown.len() < 65_000 && shown.contains("did not fit in here") && shown.contains("more lines @@"));
    assert_eq!(shown.matches("<details>").count(), shown.matches("</details>").count());
}
