//! What is wrong is refused when it is written.

use std::fs;

use anyhow::Result;
use pilotlight_types::api::{List, Problem, Resource};
use reqwest::Method;
use serde_json::{Value, json};

use super::Begin;
use crate::rig::{Rig, refused, small_site};

/// Each document with a mistake, where it is, and a word of what is said of it.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("kind: Subnet\nname: a\nspec:\n  cidr: 10.77.0.0/33\n  mode: authoritative\n", "4:9", "spec.cidr"),
    (
        "kind: Subnet\nname: a\nspec:\n  cidr: 10.77.0.0/24\n  mode: authoritative\n  rnages: []\n",
        "6:3",
        "rnages",
    ),
    ("kind: Subnet\nname: a\nspec:\n  cidr: 10.77.0.0/24\n  mode: sometimes\n", "5:9", "sometimes"),
    ("kind: Subnet\nname: a\nspec: {mode: authoritative}\n", "3:7", "cidr"),
    (
        "kind: Subnet\nname: a\nspec:\n  cidr: 10.77.0.0/24\n  mode: authoritative\n  ranges:\n  - 10.77.0.10-10.77.0.20\n  - 10.77.0.15-10.77.0.30\n",
        "8:5",
        "overlaps",
    ),
    (
        "kind: Subnet\nname: a\nspec:\n  cidr: 10.77.0.0/24\n  mode: authoritative\n  ranges: [10.78.0.10-10.78.0.20]\n",
        "6:12",
        "not inside",
    ),
    (
        "kind: Subnet\nname: a\nspec:\n  cidr: 10.77.0.0/24\n  mode: authoritative\n---\nkind: Subnet\nname: b\nspec:\n  cidr: 10.77.0.0/16\n  mode: authoritative\n",
        "4:9",
        "overlaps",
    ),
    (
        "kind: Machine\nname: a\nspec:\n  macs: ['02:00:00:00:00:01']\n---\nkind: Machine\nname: b\nspec:\n  macs:\n  - 02:00:00:00:00:02\n  - 02:00:00:00:00:01\n",
        "11:5",
        "already",
    ),
    ("kind: Machine\nname: a\nspec:\n  macs: [02:00:00:00:00]\n", "4:10", "macs[0]"),
    ("kind: Machine\nname: A_1\nspec: {macs: ['02:00:00:00:00:01']}\n", "2:7", "name"),
    ("kind: Profile\nname: a\nspec:\n  boot: live\n  image: none\n", "5:10", "there is no image none"),
    ("kind: Profile\nname: a\nspec:\n  boot: live\n", "4:3", "names an image"),
    ("kind: Profile\nname: a\nspec:\n  boot: local\n  kernelArgs: [quiet, 'a;b']\n", "5:23", "a;b"),
    ("kind: Profile\nname: a\nspec:\n  boot: local\n  kernelArgs: ['${net0/mac}']\n", "5:16", "net0"),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.4.0\n    storage:\n      files:\n      - path: relative\n",
        "10:15",
        "relative",
    ),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.4.0\n    storag: {}\n",
        "8:5",
        "storag",
    ),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.4.0\n    {{ nothing.of.this }}\n",
        "8:8",
        "undefined",
    ),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  ignition:\n    ignition: {version: 3.3.0}\n    systemd:\n      units:\n      - name: unit-without-suffix\n",
        "9:15",
        "unit-without-suffix",
    ),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  kernelArgs: [quiet, 'x={{ machine.labels.none }}']\n",
        "5:29",
        "undefined",
    ),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    storage:\n      files:\n      - path: /a\n        contents: {local: ../a}\n",
        "11:27",
        "leads out",
    ),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  files:\n    ../a: x\n  butane: |\n    variant: fcos\n    version: 1.5.0\n",
        "6:11",
        "written simply",
    ),
    (
        "kind: Profile\nname: a\nspec: {boot: local, layers: [b]}\n---\nkind: Profile\nname: b\nspec: {boot: local, layers: [a]}\n",
        "3:30",
        "among its own layers",
    ),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    {% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}\n",
        "8:44",
        "more than a template may",
    ),
    // What turns the writing, is not seen, or looks like another letter (Cyrillic, full width) is shown by its number.
    ("kind: Profile\nname: \"a\\u202eb\"\nspec: {boot: local}\n", "2:7", "name: `a\\u{202e}b` is no name"),
    ("kind: Machine\nname: wor\u{200b}ker\nspec: {}\n", "2:7", "`wor\\u{200b}ker` is no name"),
    ("kind: Machine\nname: w\u{43e}rker\nspec: {}\n", "2:7", "`w\\u{43e}rker` is no name"),
    ("kind: Machine\nname: \u{ff57}orker\nspec: {}\n", "2:7", "`\\u{ff57}orker` is no name"),
    ("kind: Machine\nname: a\nlabels: {ro\u{202e}le: b}\nspec: {}\n", "3:9", "ro\\u{202e}le` is no label"),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  kernelArgs: [\"a\\u202eb\"]\n",
        "5:16",
        "holds `\\u{202e}`",
    ),
    ("kind: Profile\nname: a\nspec:\n  boot: local\n  kernelArgs: [\"a\\nb\"]\n", "5:16", "holds `\\n`"),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    storage:\n      files:\n      - path: /a\n        contents: {inline: \"{{ vars.none | indent(4) }}\"}\n",
        "11:44",
        "undefined",
    ),
    (
        "kind: Profile\nname: a\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    a: &a [x, x, x, x, x, x, x, x, x, x]\n    b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n    c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n    d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n    e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n    f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n    g: [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]\n",
        "",
        "unfolds to more than is accepted",
    ),
    (
        "kind: Group\nname: a\nspec: &a {profile: p, variables: {b: *a}}\n",
        "3:38",
        "an alias inside of what it stands for",
    ),
    (
        "kind: Profile\nname: low\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    storage: {links: [{path: /opt, target: /srv}]}\n---\nkind: Profile\nname: top\nspec:\n  boot: local\n  layers: [low]\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    storage:\n      files:\n      - path: /opt/a\n",
        "20:15",
        "leads through `/opt`",
    ),
    (
        "kind: Image\nname: a\nspec:\n  os: generic\n  arch: x86_64\n  version: '1'\n  ignition: 3.9.0\n  kernel: {url: /k, sha256: '0000000000000000000000000000000000000000000000000000000000000000'}\n  initrd: [{url: /i, sha256: '0000000000000000000000000000000000000000000000000000000000000000'}]\n",
        "7:13",
        "no Ignition spec",
    ),
    (
        "kind: Image\nname: old\nspec:\n  os: generic\n  arch: x86_64\n  version: '1'\n  ignition: 3.3.0\n  kernel: {url: /k, sha256: '0000000000000000000000000000000000000000000000000000000000000000'}\n  initrd: [{url: /i, sha256: '0000000000000000000000000000000000000000000000000000000000000000'}]\n---\nkind: Profile\nname: a\nspec:\n  boot: live\n  image: old\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    storage:\n      luks: [{name: a, device: /dev/b, discard: true}]\n",
        "20:49",
        "image old takes Ignition specs up to 3.3.0",
    ),
    ("kind: Group\nname: a\nspec: {profile: none}\n", "3:17", "there is no profile none"),
    ("kind: Rack\nname: a\nspec: {}\n", "1:7", "Rack"),
    ("kind: Group\nname: a\nlabel: {}\nspec: {profile: p}\n", "3:1", "label"),
    ("kind: Subnet\nname: [\n", "2:7", "bracket"),
    ("kind: Subnet\nname: a\nname: b\n", "3:1", "twice"),
];

pub async fn what_is_wrong_is_refused_with_file_line_and_column_and_nothing_is_applied(
    begin: Begin,
) -> Result<()> {
    let rig = begin.start().await?;
    let folder = rig.folder.path().join("documents");
    fs::create_dir(&folder)?;
    // What is right beside it, before and after.
    let right = |name: &str| {
        format!("kind: Subnet\nname: {name}\nspec: {{cidr: 192.168.{}.0/24, mode: ignore}}\n", name.len())
    };
    fs::write(folder.join("a.yaml"), right("before"))?;
    fs::write(folder.join("c.yaml"), right("later"))?;
    let mut wrong = Vec::new();
    for (text, place, word) in MISTAKES {
        fs::write(folder.join("b.yaml"), text)?;
        let output = rig.cli(&["apply", "-f", &folder.display().to_string()])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Where what is too much became too much may move.
        let place = if place.is_empty() {
            "b.yaml:".into()
        } else {
            format!("{}:{place}: ", folder.join("b.yaml").display())
        };
        if output.status.code() != Some(1) || !said.contains(&place) || !said.contains(word) {
            wrong.push(format!("{text}\n→ {place} … {word}\ngot {said}"));
        }
        nothing_is_there(&rig, text).await?;
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), MISTAKES.len(), wrong.join("\n"));

    // What is too much is too much by either way.
    let large = "x".repeat(10 << 20);
    let group = json!([{"kind": "Group", "name": "a", "spec": {"profile": "p", "variables": {"a": large}}}]);
    let profile = json!([{"kind": "Profile", "name": "a", "spec": {"boot": "local", "butane": large}}]);
    for (documents, path, word) in
        [(&group, "spec", "1048576 at the most"), (&profile, "spec.butane", "longer than 4194304 bytes")]
    {
        let problem = refused(rig.admin.post::<Value>("/apply", documents).await);
        let told = problem.errors.iter().any(|error| error.path == path && error.detail.contains(word));
        assert!(told, "{} {:?}", problem.detail, problem.errors);
        fs::write(folder.join("b.yaml"), documents.to_string())?;
        let output = rig.cli(&["apply", "-f", &folder.display().to_string()])?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("b.yaml:1:1: the text is longer than 4194304 bytes"), "{said}");
        nothing_is_there(&rig, "ten megabytes").await?;
    }

    // An image is checked before anything is served from it.
    let mut site = small_site(rig.folder.path())?;
    site[0]["spec"]["rootfs"]["sha256"] = json!("0".repeat(64));
    fs::write(folder.join("b.yaml"), site.iter().map(|one| format!("---\n{one}\n")).collect::<String>())?;
    let output = rig.cli(&["apply", "-f", &folder.display().to_string()])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("b.yaml:2:") && said.contains("spec.rootfs.sha256"), "{said}");
    assert!(said.contains("has the SHA-256") && said.contains(&"0".repeat(64)), "{said}");
    nothing_is_there(&rig, "an image whose hash differs").await?;

    fs::remove_file(folder.join("b.yaml"))?;
    rig.cli_ok(&["apply", "-f", &folder.display().to_string()])?;
    assert_eq!(rig.admin.get::<List<Resource>>("/subnets").await?.items.len(), 2);
    Ok(())
}

async fn nothing_is_there(rig: &Rig, after: &str) -> Result<()> {
    for kind in ["subnets", "images", "profiles", "groups", "machines"] {
        let items = rig.admin.get::<List<Value>>(&format!("/{kind}")).await?.items;
        assert!(items.is_empty(), "{kind} was half-applied after {after}: {items:?}");
    }
    Ok(())
}

pub async fn every_refusal_is_a_problem_document(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let group = json!({"spec": {"profile": "none"}});
    let cases: &[(&str, &str, Option<&Value>, u16, &str)] = &[
        ("GET", "/api/v1/nothing", None, 404, "not-found"),
        ("GET", "/api/v1/subnets/none", None, 404, "not-found"),
        ("GET", "/api/v1/machines/none", None, 404, "not-found"),
        ("GET", "/api/v1/boots/none", None, 400, "bad-request"),
        ("GET", "/api/v1/boots?machine=none", None, 404, "not-found"),
        ("GET", "/api/v1/machines/none/explain", None, 404, "not-found"),
        ("GET", "/api/v1/explain", None, 400, "bad-request"),
        ("GET", "/api/v1/a/path/to/nowhere", None, 404, "not-found"),
        ("GET", "/nothing", None, 404, "not-found"),
        ("GET", "/api/v1/machines?selector=%3D%3D", None, 400, "bad-request"),
        ("GET", "/api/v1/machines?cursor=%21", None, 400, "bad-request"),
        ("GET", "/api/v1/machines?limit=many", None, 400, "bad-request"),
        ("GET", "/api/v1/boots?cursor=x", None, 400, "bad-request"),
        // PostgreSQL takes no NUL, and that is not its failure.
        ("GET", "/api/v1/events?object=machine/%00", None, 400, "bad-request"),
        ("GET", "/api/v1/audit?actor=%00", None, 400, "bad-request"),
        ("GET", "/api/v1/audit?object=a%1Bb", None, 400, "bad-request"),
        ("PATCH", "/api/v1/subnets/a", Some(&group), 405, "method-not-allowed"),
        ("DELETE", "/api/v1/events", None, 405, "method-not-allowed"),
        ("PUT", "/api/v1/groups/a", Some(&group), 422, "invalid"),
        ("PUT", "/api/v1/groups/a", Some(&Value::Null), 422, "invalid"),
        ("POST", "/api/v1/apply", Some(&group), 422, "invalid"),
        ("POST", "/api/v1/machines/none/hold", Some(&Value::Null), 422, "invalid"),
        ("POST", "/api/v1/tokens", Some(&group), 422, "invalid"),
        ("POST", "/agent/v1/boots/none/progress", Some(&group), 400, "bad-request"),
        ("GET", "/agent/v1/nothing", None, 404, "not-found"),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, status, code) in cases {
        let answer = rig.admin.request(method.parse()?, path, &[], *body).await?;
        let right = answer.status == *status
            && answer.header("content-type") == "application/problem+json"
            && answer.json::<Problem>().is_ok_and(|problem| {
                problem.status == *status
                    && problem.code == *code
                    && !problem.title.is_empty()
                    && !problem.detail.is_empty()
                    && problem.request_id.as_deref() == Some(answer.header("x-request-id"))
            });
        if !right {
            let headers = format!("{:?}", answer.headers);
            wrong.push(format!("{method} {path}: {} {} {headers}", answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let huge = Value::String("x".repeat(17 << 20));
    let answer = rig.admin.request(Method::POST, "/api/v1/apply", &[], Some(&huge)).await;
    // The connection may be cut before the whole of it was sent.
    assert!(answer.map_or(true, |answer| answer.status == 413));
    assert!(rig.admin.get::<Value>("/subnets").await.is_ok(), "and the daemon lives");
    Ok(())
}
