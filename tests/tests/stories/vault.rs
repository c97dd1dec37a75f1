//! Secrets of profiles, from where they are to the one machine that they are for: with a real daemon, a double of Vault, and machines
//! that fetch on this host's loopback.

mod walk;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use pilotlight_tests::sim::{config_ign, merged};
use pilotlight_tests::vault::{Mood, Vault};
use pilotlight_types::api::Phase;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::rig::{Plan, Rig, document, machine, skipped, small_image};

/// What a config writes for each secret.
const BUTANE: &str = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n{% for place in vars.places %}\n    - path: /etc/{{ place }}\n      mode: 0600\n      contents:\n        inline: {{ secrets[place] | tojson }}\n{% endfor %}\n";

/// A daemon that may read everything below, and its documents: `n1` and `n2` have secrets, `n3` has none.
async fn stage(vault: &Vault, login: &[(&str, Value)], places: &[&str]) -> Result<Rig> {
    stage_with(Plan::new()?, vault, login, places, "0s").await
}

async fn stage_with(
    plan: Plan,
    vault: &Vault,
    login: &[(&str, Value)],
    places: &[&str],
    cache: &str,
) -> Result<Rig> {
    let folder = plan.folder.path().join("secrets");
    fs::create_dir(&folder)?;
    fs::write(folder.join("n1"), "of-a-file-n1\n")?;
    fs::write(folder.join("n2"), "of-a-file-n2\n")?;
    let image = small_image(plan.folder.path())?;
    let rig = plan
        .with(|builder| {
            let builder = builder
                .set("secrets.files", json!([folder]))
                .env("PILOTLIGHT_SECRET_STORY", "of-the-environment")
                .set("vault.address", vault.url())
                .set("vault.ca", json!(vault.ca()))
                .set("vault.paths", json!(["secret/data/pilotlight"]))
                .set("vault.timeout", "1s")
                .set("vault.cache", cache);
            login.iter().fold(builder, |builder, (key, value)| builder.set(key, value.clone()))
        })
        .start()
        .await?;
    let references: BTreeMap<&str, Value> = BTreeMap::from([
        ("vault", json!({"vault": "secret/data/pilotlight/{{ machine.name }}#password"})),
        ("file", json!({"file": format!("{}/{{{{ machine.name }}}}", folder.display())})),
        ("env", json!({"env": "PILOTLIGHT_SECRET_STORY"})),
    ]);
    let used: BTreeMap<_, _> = references.into_iter().filter(|(name, _)| places.contains(name)).collect();
    let local = Ipv4Addr::new(127, 0, 0, 0);
    let profile = json!({"image": "small", "boot": "live", "butane": BUTANE, "secrets": used});
    rig.admin
        .apply(&[
            image,
            document("Subnet", "loopback", json!({"cidr": format!("{local}/8"), "mode": "authoritative"})),
            document("Profile", "worker", profile),
            document("Profile", "plain", json!({"image": "small", "boot": "live"})),
            document("Group", "all", json!({"profile": "worker", "variables": {"places": places}})),
            document("Group", "others", json!({"profile": "plain", "match": {"macs": [mac(3), mac(6)]}})),
            machine("n1", &mac(1)),
            machine("n2", &mac(2)),
            machine("n3", &mac(3)),
            machine("n4", &mac(4)),
            machine("n5", &mac(5)),
            machine("n6", &mac(6)),
        ])
        .await?;
    Ok(rig)
}

fn mac(number: u8) -> String {
    format!("02:00:00:00:09:0{number}")
}

/// A machine as far as Ignition: an address, and what `config.img` told it.
struct Booting {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Booting {
    /// Fetches script and initrd.
    async fn new(rig: &Rig, number: u8) -> Result<Self> {
        let http = http(rig, Ipv4Addr::new(127, 0, 9, number))?;
        let base = format!("http://{}", rig.daemon.http());
        let script = http.get(format!("{base}/boot/ipxe?mac={}", mac(number))).send().await?.text().await?;
        let base = script.lines().find_map(|line| line.strip_prefix("set base ")).context(script.clone())?;
        let initrd = http.get(format!("{base}/config.img")).send().await?.error_for_status()?.bytes().await?;
        let pointer = config_ign(&initrd)?;
        let target = pointer.pointer("/ignition/config/replace").context("no pointer")?;
        let word = |path: &str| {
            target.pointer(path).and_then(Value::as_str).map(str::to_owned).context(path.to_owned())
        };
        let token = word("/httpHeaders/0/value")?.trim_start_matches("Bearer ").to_owned();
        Ok(Self { http, url: word("/source")?, token })
    }

    /// Asks for the config once: the status, and the body.
    async fn ask(&self) -> Result<(u16, String)> {
        let response = self.http.get(&self.url).bearer_auth(&self.token).send().await?;
        let status = response.status().as_u16();
        if status == 503 {
            ensure!(response.headers().contains_key("retry-after"), "a 503 says when to ask again");
        }
        Ok((status, response.text().await?))
    }

    /// Asks until it has the config, as Ignition does.
    async fn have(&self, within: Duration) -> Result<String> {
        let deadline = Instant::now() + within;
        loop {
            match self.ask().await? {
                (200, config) => return Ok(config),
                (503, why) => ensure!(Instant::now() < deadline, "it still waits: {why}"),
                (status, why) => anyhow::bail!("{status}: {why}"),
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Asks once, and is told to wait for this reason.
    async fn waits(&self, reason: &str) -> Result<()> {
        let (status, why) = self.ask().await?;
        ensure!(status == 503 && why.contains(reason), "`{reason}` was expected: {status} {why}");
        Ok(())
    }
}

/// A client that trusts the daemon, and asks from this address.
pub fn http(rig: &Rig, own: Ipv4Addr) -> Result<reqwest::Client> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    use rustls_pki_types::pem::PemObject;
    for ca in rustls_pki_types::CertificateDer::pem_slice_iter(rig.daemon.ca()?.as_bytes()) {
        roots.add(ca?)?;
    }
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls).local_address(Some(own.into()));
    Ok(builder.no_proxy().timeout(Duration::from_secs(20)).build()?)
}

/// What a config writes, by path.
fn files(config: &str) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for part in merged(config.as_bytes())? {
        for file in part.pointer("/storage/files").and_then(Value::as_array).into_iter().flatten() {
            let word = |path: &str| file.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            files.insert(word("/path"), word("/contents/source"));
        }
    }
    Ok(files)
}

fn token(vault: &Vault) -> Vec<(&'static str, Value)> {
    vault.state().token("hvs.story", &["secret/data/"], None);
    vec![("vault.token", json!("hvs.story"))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_waits_while_vault_is_away_and_others_do_not() -> Result<()> {
    if skipped("vault") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut vault = Vault::start(folder.path())?;
    vault.state().put("secret/data/pilotlight/n1", "password", "late");
    let login = token(&vault);
    let mut rig = stage(&vault, &login, &["vault"]).await?;
    vault.down();
    let n1 = Booting::new(&rig, 1).await?;
    n1.waits("secret `vault` of profile worker cannot be had: Vault does not answer").await?;
    let n3 = Booting::new(&rig, 3).await?;
    assert_eq!(n3.ask().await?.0, 200, "another machine's profile has no secrets");
    assert_eq!(rig.admin.request(Method::GET, "/readyz", &[], None).await?.status, 200);
    let metrics = rig.admin.request(Method::GET, "/metrics", &[], None).await?;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for line in [
        "pilotlight_secret_failures_total{source=\"vault\",reason=\"away\"} 1",
        "pilotlight_boots_waiting_for_secrets 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    let explained = rig.cli_ok(&["explain", "n1"])?;
    assert!(explained.contains("its config waits: secret `vault` of profile worker"), "{explained}");
    // A Vault that takes connections and says nothing holds up nobody but who needs it.
    vault.up()?;
    vault.state().mood = Mood::Silent;
    sleep(Duration::from_millis(2100)).await;
    let began = Instant::now();
    let waits = n1.waits("Vault did not answer in");
    let other = async {
        let began = Instant::now();
        let n6 = Booting::new(&rig, 6).await?;
        ensure!(
            n6.ask().await?.0 == 200 && began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        Ok(())
    };
    let (waits, other) = tokio::join!(waits, other);
    waits?;
    other?;
    assert!(began.elapsed() < Duration::from_secs(10), "Ignition would have given up: {:?}", began.elapsed());
    // It is started again, and so is the daemon; the machine goes on waiting, and has its config.
    vault.state().mood = Mood::Sealed;
    rig.daemon.restart().await?;
    n1.waits("Vault is sealed").await?;
    vault.state().mood = Mood::Well;
    let config = n1.have(Duration::from_secs(10)).await?;
    assert_eq!(files(&config)?["/etc/vault"], "data:,late");
    let events = rig.admin.events(0).await?;
    let boot = rig.admin.machine("n1").await?.boot.context("no boot")?;
    let told: Vec<&str> =
        events.iter().filter(|event| event.boot == Some(boot.id)).map(|event| event.kind.as_str()).collect();
    assert!(told.contains(&"secret.missing") && told.contains(&"secret.found"), "{told:?}");
    assert!(boot.phase(Phase::Ignition).is_some_and(|phase| phase.ended.is_some()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_vault_can_say_has_its_own_words() -> Result<()> {
    if skipped("vault") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let vault = Vault::start(folder.path())?;
    let path = "secret/data/pilotlight/n1";
    let login = token(&vault);
    let rig = stage(&vault, &login, &["vault"]).await?;
    let n1 = Booting::new(&rig, 1).await?;
    // What failed is taken to hold for two seconds.
    let pause = || sleep(Duration::from_millis(2050));
    n1.waits("there is nothing at secret/data/pilotlight/n1 in Vault").await?;
    n1.waits("there is nothing").await?;
    assert_eq!(vault.state().asked("pilotlight/n1"), 1, "two questions within two seconds are one to Vault");
    vault.state().put(path, "other", "x");
    pause().await;
    n1.waits("there is no key `password` at").await?;
    vault.state().put(path, "password", json!({"a": 1}));
    n1.have(Duration::ZERO).await.expect_err("no text");
    n1.waits("a list or a map").await?;
    vault.state().put(path, "password", "");
    n1.waits("is empty").await?;
    vault.state().delete(path, false);
    n1.waits("was deleted").await?;
    pause().await;
    vault.state().delete(path, true);
    n1.waits("was destroyed").await?;
    vault.state().put(path, "password", "before");
    for (mood, words) in [
        (Mood::Broken, "Vault answers 500"),
        (Mood::Odd, "is not one of the key-value store"),
        (Mood::Astray, "no TLS"),
        (Mood::Sealed, "Vault is sealed"),
    ] {
        vault.state().mood = mood;
        pause().await;
        n1.waits(words).await?;
    }
    vault.state().mood = Mood::Well;
    vault.state().put(path, "password", "now");
    assert_eq!(files(&n1.have(Duration::from_secs(5)).await?)?["/etc/vault"], "data:,now");
    // A policy that denies is no reason to sign in anew.
    vault.state().token("hvs.story", &["secret/data/elsewhere"], None);
    let n2 = Booting::new(&rig, 2).await?;
    n2.waits("its policy denies it").await?;
    vault.state().revoke();
    pause().await;
    n2.waits("Vault does not let us").await.or(n2.waits("Vault does not take our token").await)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approle_signs_in_renews_and_signs_in_again_in_its_namespace() -> Result<()> {
    if skipped("vault") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let vault = Vault::start(folder.path())?;
    let secret_id = folder.path().join("secret-id");
    fs::write(&secret_id, "the-secret-id\n")?;
    {
        let mut state = vault.state();
        state.namespace = Some("teams/infra".to_owned());
        state.role("the-role", "the-secret-id");
        state.grants = (Duration::from_secs(3), true);
        state.put("secret/data/pilotlight/n1", "password", "one");
        state.put("secret/data/pilotlight/n2", "password", "two");
    }
    let login = [
        ("vault.namespace", json!("teams/infra/")),
        ("vault.role-id", json!("the-role")),
        ("vault.secret-id-file", json!(secret_id)),
    ];
    let rig = stage(&vault, &login, &["vault"]).await?;
    let n1 = Booting::new(&rig, 1).await?;
    assert_eq!(files(&n1.have(Duration::from_secs(5)).await?)?["/etc/vault"], "data:,one");
    let until = Instant::now() + Duration::from_secs(10);
    while vault.state().asked("renew-self") < 2 {
        ensure!(Instant::now() < until, "it is not renewed: {:?}", vault.state().requests);
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(vault.state().asked("approle/login"), 1, "renewed, not signed in anew");
    // Its token is taken away: the next question signs in again, and no machine notices.
    vault.state().revoke();
    let n2 = Booting::new(&rig, 2).await?;
    assert_eq!(files(&n2.have(Duration::from_secs(5)).await?)?["/etc/vault"], "data:,two");
    assert_eq!(vault.state().asked("approle/login"), 2);
    // Ids that are not taken any more.
    vault.state().role("the-role", "another");
    vault.state().revoke();
    vault.state().put("secret/data/pilotlight/n4", "password", "four");
    let n4 = Booting::new(&rig, 4).await?;
    n4.waits("Vault does not take our AppRole's ids").await?;
    fs::write(&secret_id, "another")?;
    n4.have(Duration::from_secs(5)).await?;
    for secret in ["the-secret-id", "hvs.made-1", "hvs.made-2"] {
        assert_eq!(crate::secrets::is_known(&rig, secret).await?, None, "{secret}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_a_file_is_read_again_and_a_hall_asks_once() -> Result<()> {
    if skipped("vault") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let vault = Vault::start(folder.path())?;
    let file = folder.path().join("token");
    fs::write(&file, "hvs.first\n")?;
    vault.state().token("hvs.first", &["secret/data/"], Some(Duration::from_secs(3600)));
    vault.state().put("secret/data/pilotlight/n1", "password", "one");
    let rig =
        stage_with(Plan::new()?, &vault, &[("vault.token-file", json!(file))], &["vault"], "1m").await?;
    let shared = json!({"secrets": {"vault": {"vault": "secret/data/pilotlight/n1#password"}}});
    let mut same = vec![];
    for number in [4, 5] {
        let mut one = machine(&format!("n{number}"), &mac(number));
        one["spec"]["secrets"] = shared["secrets"].clone();
        same.push(one);
    }
    rig.admin.apply(&same).await?;
    let all = (Booting::new(&rig, 1).await?, Booting::new(&rig, 4).await?, Booting::new(&rig, 5).await?);
    let within = Duration::from_secs(5);
    let (one, four, five) = tokio::join!(all.0.have(within), all.1.have(within), all.2.have(within));
    for config in [one?, four?, five?] {
        assert_eq!(files(&config)?["/etc/vault"], "data:,one");
    }
    assert_eq!(vault.state().asked("pilotlight/n1"), 1, "one question for all of them");
    // Vault Agent wrote another token.
    vault.state().revoke();
    vault.state().token("hvs.second", &["secret/data/"], Some(Duration::from_secs(3600)));
    vault.state().put("secret/data/pilotlight/n2", "password", "two");
    fs::write(&file, "hvs.second\n")?;
    Booting::new(&rig, 2).await?.have(Duration::from_secs(5)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_with_a_certificate_of_somebody_else_gets_no_token() -> Result<()> {
    if skipped("vault") {
        return Ok(());
    }
    let (folder, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (vault, impostor) = (Vault::start(folder.path())?, Vault::start(other.path())?);
    impostor.state().put("secret/data/pilotlight/n1", "password", "x");
    let mut login = token(&vault);
    login.push(("vault.address", json!(impostor.url())));
    let rig = stage(&vault, &login, &["vault"]).await?;
    let n1 = Booting::new(&rig, 1).await?;
    n1.waits("certificate").await?;
    assert!(impostor.state().requests.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn render_puts_in_what_its_user_can_read_and_only_if_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    write("key", "of-a-file\n")?;
    let spec = json!({"boot": "local", "butane": BUTANE, "secrets": {
        "file": {"file": folder.path().join("key")}, "env": {"env": "PILOTLIGHT_SECRET_STORY"}, "vault": {"vault": "kv/data/a#b"}}});
    let group =
        document("Group", "all", json!({"profile": "p", "variables": {"places": ["file", "env", "vault"]}}));
    write("a.json", &document("Profile", "p", spec).to_string())?;
    write("b.json", &group.to_string())?;
    let render = |more: &[&str]| -> Result<(String, String)> {
        let output = std::process::Command::new(pilotlight_tests::daemon::pilotlight()?)
            .args(["render", "-f"])
            .arg(Path::new(folder.path()))
            .args(["p"])
            .args(more)
            .env("PILOTLIGHT_SECRET_STORY", "of-the-environment")
            .output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        ensure!(output.status.success(), "{}", text(output.stderr));
        Ok((text(output.stdout), text(output.stderr)))
    };
    let (masked, _) = render(&[])?;
    assert!(!masked.contains("of-") && masked.matches("%3Csecret%20").count() == 3, "{masked}");
    let (real, said) = render(&["--with-secrets"])?;
    assert!(real.contains("of-a-file") && real.contains("of-the-environment"), "{real}");
    assert!(real.contains("%3Csecret%20vault%3E") && said.contains("stays masked"), "{said}");
    Ok(())
}
