//! Secrets of a config: they reach their machine, and nobody else; a machine whose secret cannot be had waits for it.
use crate::{
    delivery::{fetch, pointer_without_hash},
    rig::{MAC1, OURS, Rig, on_both, operator},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use pilotlight::service::{changes::ChangeError, delivery::Denied};
use pilotlight_types::{BootId, api::Phase};
use serde_json::{Value, json};

on_both!(
    a_secret_is_in_the_config_of_its_machine_and_nowhere_else,
    a_machine_waits_for_a_secret_and_is_told_of,
    a_boot_goes_on_when_its_secret_changes_and_the_daemon_is_started_again,
    who_has_no_good_token_has_nobody_look_for_secrets,
    a_value_that_breaks_the_config_is_not_told,
    references_are_checked_when_they_are_written,
    a_machine_that_nobody_accepted_has_no_secrets,
);

const FROM: [u8; 4] = [10, 77, 0, 100];
const FROM_TEXT: &str = "10.77.0.100";
const VALUE: &str = "hunter2-äß\"'";

fn plant(rig: &Rig, name: &str, value: &str) -> String {
    let folder = rig.folder.path().join("secrets");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, value).unwrap();
    path.to_str().unwrap().to_owned()
}

fn place(rig: &Rig, name: &str) -> String {
    rig.folder.path().join("secrets").join(name).to_str().unwrap().to_owned()
}

/// The rig's documents, with a profile whose config holds the secret `db`, written into the template like this.
fn documents(rig: &Rig, tag: &str, path: &str) -> Vec<Value> {
    let butane = format!(
        "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/db\n      mode: 0600\n      contents:\n        inline: {tag}\n"
    );
    let mut documents = rig.documents();
    let worker = documents.iter_mut().find(|document| document["name"] == "worker").unwrap();
    worker["spec"]["butane"] = json!(butane);
    worker["spec"]["secrets"] = json!({"db": {"file": path}});
    documents
}

/// What the config writes to /etc/db, as the machine gets it.
fn written(config: &[u8]) -> String {
    let config: Value = serde_json::from_slice(config).unwrap();
    let first = config["ignition"]["config"]["merge"][0]["source"].as_str().unwrap();
    let first = STANDARD.decode(first.split_once("base64,").unwrap().1).unwrap();
    let first: Value = serde_json::from_slice(&first).unwrap();
    first["storage"]["files"][0]["contents"]["source"].as_str().unwrap().to_owned()
}

async fn waits(rig: &Rig, boot: BootId, token: &str) -> String {
    match fetch(rig, boot, token, FROM_TEXT).await {
        Err(Denied::NotNow(why)) => why,
        other => panic!("it should wait: {other:?}"),
    }
}

async fn a_secret_is_in_the_config_of_its_machine_and_nowhere_else(rig: Rig) {
    let path = plant(&rig, "db", &format!("{VALUE}\n"));
    rig.apply(&documents(&rig, "{{ secrets.db | tojson }}", &path)).await;
    let explained = rig.explain.machine("n1", OURS.into()).unwrap();
    let shown = serde_json::to_string(&explained).unwrap();
    assert!(shown.contains("%3Csecret%20db%3E"), "a mask: {shown}");
    assert_eq!(explained.secrets[0].place, format!("file {path}"));
    assert_eq!(
        (explained.secrets[0].from.as_str(), &explained.secrets[0].refused),
        ("profile worker", &None)
    );

    let (boot, script) = rig.script(MAC1, FROM).await;
    let token = pointer_without_hash(&rig, boot).await;
    let config = fetch(&rig, boot, &token, FROM_TEXT).await.unwrap();
    assert_eq!(written(&config), "data:,hunter2-%C3%A4%C3%9F%22'");
    assert!(matches!(fetch(&rig, boot, &token, FROM_TEXT).await, Err(Denied::Refused(_))), "a second time");

    let events = serde_json::to_string(&rig.events().await).unwrap();
    let record = serde_json::to_string(&rig.boot(boot)).unwrap();
    let kept = serde_json::to_string(&rig.boots.served(boot).await.unwrap()).unwrap();
    assert!(kept.contains("%3Csecret%20db%3E"), "what it got is kept, with a mask: {kept}");
    for (what, text) in [
        ("explain", &shown),
        ("the script", &script),
        ("events", &events),
        ("the boot", &record),
        ("what is kept of it", &kept),
    ] {
        assert!(!text.contains("hunter2"), "{what}: {text}");
    }
    for file in ["pilotlight.db", "pilotlight.db-wal"] {
        let bytes = std::fs::read(rig.folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"), "{file}");
    }
}

async fn a_machine_waits_for_a_secret_and_is_told_of(rig: Rig) {
    let path = place(&rig, "db");
    std::fs::create_dir_all(rig.folder.path().join("secrets")).unwrap();
    rig.apply(&documents(&rig, "{{ secrets.db | tojson }}", &path)).await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let token = pointer_without_hash(&rig, boot).await;
    for _ in 0..3 {
        let why = waits(&rig, boot, &token).await;
        assert_eq!(why, format!("secret `db` of profile worker cannot be had: there is no file {path}"));
    }
    let kinds = rig.kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "secret.missing").count(), 1, "{kinds:?}");
    assert_eq!(rig.secrets.failures().get(&("file", "missing")), Some(&3));
    assert_eq!(rig.delivery.waiting(), 1);
    let explained = rig.explain.machine("n1", OURS.into()).unwrap();
    assert!(
        explained.because.iter().any(|line| line.contains("its config waits: secret `db`")),
        "{explained:?}"
    );
    let phase = rig.boot(boot).phase(Phase::Ignition).cloned().unwrap();
    assert!(phase.ended.is_none() && phase.detail.unwrap().starts_with("waits: secret `db`"));

    // Its one-time token lasts as long as it asks. The hall's power may have come back before Vault's.
    for _ in 0..6 {
        rig.advance(1200);
        waits(&rig, boot, &token).await;
    }
    // It may fetch its initrd again: it has not had its config.
    let token = pointer_without_hash(&rig, boot).await;
    plant(&rig, "db", "late");
    assert_eq!(written(&fetch(&rig, boot, &token, FROM_TEXT).await.unwrap()), "data:,late");
    assert_eq!(rig.delivery.waiting(), 0);
    let kinds = rig.kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "secret.found").count(), 1, "{kinds:?}");
    assert!(rig.boot(boot).phase(Phase::Ignition).unwrap().ended.is_some());
}

async fn a_boot_goes_on_when_its_secret_changes_and_the_daemon_is_started_again(rig: Rig) {
    let path = plant(&rig, "db", "first");
    rig.apply(&documents(&rig, "{{ secrets.db | tojson }}", &path)).await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let token = pointer_without_hash(&rig, boot).await;
    plant(&rig, "db", "rotated");
    let rig = rig.restarted().await;
    assert_eq!(written(&fetch(&rig, boot, &token, FROM_TEXT).await.unwrap()), "data:,rotated");
}

async fn who_has_no_good_token_has_nobody_look_for_secrets(rig: Rig) {
    rig.apply(&documents(&rig, "{{ secrets.db | tojson }}", &place(&rig, "db"))).await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let token = pointer_without_hash(&rig, boot).await;
    for (token, from) in [("made-up", FROM_TEXT), (token.as_str(), "10.77.0.101")] {
        assert!(matches!(fetch(&rig, boot, token, from).await, Err(Denied::Refused(_))), "{from}");
    }
    assert!(rig.secrets.failures().is_empty());
}

async fn a_value_that_breaks_the_config_is_not_told(rig: Rig) {
    for value in ["hunter2: [", "{hunter2: 1}", "hunter2\n    - path: /etc/passwd"] {
        let path = plant(&rig, "db", value);
        rig.apply(&documents(&rig, "{{ secrets.db }}", &path)).await;
        rig.machines.provision("n1", &operator()).await.ok();
        let (boot, _) = rig.script(MAC1, FROM).await;
        let token = pointer_without_hash(&rig, boot).await;
        let why = waits(&rig, boot, &token).await;
        assert!(!why.contains("hunter2") && why.contains("| tojson }}"), "{value}: {why}");
        assert!(why.contains("spec.butane, line") || why.contains("more than the text"), "{value}: {why}");
    }
}

async fn refused(rig: &Rig, documents: &[Value]) -> Vec<String> {
    match rig.changes.apply(documents, &operator()).await {
        Err(ChangeError::Mistakes(mistakes)) => {
            mistakes.into_iter().map(|mistake| format!("{}: {}", mistake.path, mistake.detail)).collect()
        }
        other => panic!("it should be refused: {documents:?} {other:?}"),
    }
}

async fn references_are_checked_when_they_are_written(rig: Rig) {
    let with = |name: &str, part: Value| {
        let mut documents = documents(&rig, "{{ secrets.db | tojson }}", "/s/db");
        let one = documents.iter_mut().find(|document| document["name"] == name).unwrap();
        for (key, value) in part.as_object().unwrap() {
            one["spec"][key] = value.clone();
        }
        documents
    };
    for (name, part, expected) in [
        ("worker", json!({"secrets": {"db": {"file": "../etc/shadow"}}}), "spec.secrets.db.file: "),
        ("worker", json!({"secrets": {"db": {"env": "PATH"}}}), "spec.secrets.db.env: "),
        ("worker", json!({"secrets": {}}), "there is no secret `db`"),
        ("worker", json!({"secrets": {"db-a": {"file": "/a"}}}), "no secret's name"),
        (
            "worker",
            json!({"kernelArgs": ["x={{ secrets.db }}"]}),
            "spec.kernelArgs[0]: Profile worker: kernel arguments cannot hold secrets",
        ),
        ("seen", json!({"layers": ["worker"]}), "spec.boot: "),
        ("workers", json!({"secrets": {"db": {"vault": "kv/a#b"}}}), "spec.secrets.db.vault: "),
        ("n1", json!({"secrets": {"db": {"file": "/s/{{ machine.facts.x }}"}}}), "spec.secrets.db.file: "),
    ] {
        let told = refused(&rig, &with(name, part.clone())).await;
        assert!(told.iter().any(|line| line.contains(expected)), "{name} {part}: {told:?}");
    }
    // A group may have what the profile asks for, and a machine something of its own.
    let mut documents = with("worker", json!({"secrets": {}}));
    for document in &mut documents {
        if document["name"] == "workers" {
            document["spec"]["secrets"] = json!({"db": {"file": "/group/db"}});
        }
        if document["name"] == "n1" {
            document["spec"]["secrets"] =
                json!({"db": {"file": "/hosts/{{ machine.name }}/{{ vars.zone }}"}});
        }
    }
    rig.apply(&documents).await;
    let explained = rig.explain.machine("n1", OURS.into()).unwrap();
    let secret = &explained.secrets[0];
    assert_eq!((secret.place.as_str(), secret.from.as_str()), ("file /hosts/n1/a", "machine n1"));
    assert!(secret.refused.as_ref().unwrap().contains("secrets.files"), "{secret:?}");
}

async fn a_machine_that_nobody_accepted_has_no_secrets(rig: Rig) {
    let path = plant(&rig, "db", VALUE);
    let mut documents = documents(&rig, "{{ secrets.db | tojson }}", &path);
    documents.retain(|document| document["kind"] != "Machine");
    let layered = documents.iter_mut().find(|document| document["name"] == "seen").unwrap();
    layered["spec"]["layers"] = json!(["below"]);
    documents.push(json!({"kind": "Profile", "name": "below", "spec": {"boot": "local"}}));
    rig.apply(&documents).await;
    // The layer comes to have a secret later, and nobody looked at the discovery profile.
    let worker = documents.iter().find(|document| document["name"] == "worker").unwrap();
    let mut below = json!({"kind": "Profile", "name": "below", "spec": {"boot": "local"}});
    below["spec"]["butane"] = worker["spec"]["butane"].clone();
    below["spec"]["secrets"] = worker["spec"]["secrets"].clone();
    rig.apply(&[below]).await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let denied = rig.delivery.config_initrd(boot, FROM.into(), OURS.into()).await.unwrap_err();
    assert!(denied.to_string().contains("nobody accepted"), "{denied}");
}
