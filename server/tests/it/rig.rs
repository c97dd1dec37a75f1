//! A daemon without sockets: all its services on a database of its own, with a clock that stands still until it is moved.
use pilotlight::{
    clock::Clock,
    domain::{
        boot::BootRequest,
        firmware::{Identity, classify},
        identity::Says,
        webhook::{Manner, Reach},
    },
    metrics::Metrics,
    secret::SiteKey,
    service::{
        access::Access,
        agents::Agents,
        boots::{Asked, Boots},
        callers::Callers,
        changes::Changes,
        configs::Configs,
        console::Console,
        delivery::Delivery,
        discovery::Discovery,
        explain::Explain,
        files::Files,
        firmware::FirmwareTable,
        history::History,
        images::Images,
        inbox::Inbox,
        journal::{Actor, Journal},
        leases::Leases,
        leases6::Leases6,
        machines::Machines,
        next_boots::NextBoots,
        oidc::Oidc,
        ports::Ports,
        revisions::Revisions,
        roster::Roster,
        secrets::Secrets,
        sessions::Sessions,
        sightings::Sightings,
        tasks::Tasks,
        users::Users,
        views::Views,
        webhooks::{self, Webhooks},
    },
    store::{Db, Writer},
};
use pilotlight_types::{
    BootId, Mac, MachineId,
    api::{AppliedItem, Boot, Event},
};
use serde_json::{Value, json};
use sha2::Digest;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Which database.
#[derive(Clone, Copy)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Makes of each story two tests: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::rig::Rig::new($crate::rig::Engine::Sqlite).await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::rig::Rig::new($crate::rig::Engine::Postgres).await).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// Our own address on the subnet of [`documents`].
pub const OURS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub const OURS6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 1);

/// How many machines may be changed at once.
pub const GUARD: usize = 3;

/// The MAC of `n1`, as everywhere.
pub const MAC1: &str = "52:54:00:00:00:01";

pub fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

/// All services of a daemon.
pub struct Rig {
    pub db: Db,
    pub clock: Arc<AtomicI64>,
    pub journal: Journal,
    pub roster: Roster,
    pub machines: Machines,
    pub discovery: Discovery,
    pub inbox: Inbox,
    pub boots: Boots,
    pub leases: Leases,
    pub leases6: Leases6,
    pub console: Console,
    pub changes: Changes,
    pub revisions: Revisions,
    pub configs: Configs,
    pub delivery: Delivery,
    pub history: History,
    pub agents: Agents,
    pub access: Access,
    pub callers: Callers,
    pub oidc: Oidc,
    pub views: Views,
    pub explain: Explain,
    pub files: Files,
    pub metrics: Metrics,
    pub sightings: Sightings,
    pub secrets: Secrets,
    pub webhooks: Webhooks,
    pub tasks: Tasks,
    url: Option<String>,
    writing: JoinSet<()>,
    stop: CancellationToken,
    pub folder: tempfile::TempDir,
}

async fn open(url: Option<&str>, folder: &Path) -> Db {
    match url {
        None => Db::sqlite(&folder.join("pilotlight.db")).await.unwrap(),
        Some(url) => Db::postgres(url).await.unwrap(),
    }
}

impl Rig {
    pub async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in
            [("kernel", "K".repeat(5000)), ("initrd", "I".repeat(3001)), ("rootfs", "R".repeat(9000))]
        {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        std::fs::create_dir(folder.path().join("ipxe")).unwrap();
        for name in ["ipxe/undionly.kpxe", "ipxe/snponly.efi", "agent"] {
            let content = format!("program {}", name.trim_start_matches("ipxe/"));
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let url = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(crate::postgres::fresh_database().await),
        };
        Self::build(folder, url, Arc::new(AtomicI64::new(1_760_000_000_000_000))).await
    }

    async fn build(folder: tempfile::TempDir, url: Option<String>, clock: Arc<AtomicI64>) -> Self {
        let db = open(url.as_deref(), folder.path()).await;
        let stop = CancellationToken::new();
        let (writer, work) = Writer::new(db.clone(), stop.clone());
        let mut writing = JoinSet::new();
        writing.spawn(work);
        let journal = Journal::new(writer, Clock::Manual(clock.clone()));
        let roster = Roster::load(&db).await.unwrap();
        let machines = Machines::new(roster.clone(), journal.clone());
        let files =
            Files::load(&folder.path().join("ipxe"), Some(&folder.path().join("agent")), 8080).unwrap();
        let firmware = FirmwareTable::new(files.clone());
        let boots = Boots::load(db.clone(), roster.clone(), journal.clone(), machines.clone(), firmware)
            .await
            .unwrap();
        let leases =
            Leases::load(&db, roster.clone(), boots.clone(), journal.clone(), [OURS].into()).await.unwrap();
        let ours6 = [OURS6].into();
        let leases6 =
            Leases6::load(&db, roster.clone(), boots.clone(), journal.clone(), ours6).await.unwrap();
        let images = Images::open(&folder.path().join("images"), http_client()).unwrap();
        let ports = Ports { advertise: None, http: 8080, https: 8443, syslog: false };
        let ca = "-----BEGIN CERTIFICATE-----\n".to_owned();
        let configs =
            Configs::new(roster.clone(), files.clone(), ports, ("dc1".into(), ca, SiteKey::new([7; 32])));
        let known = (boots.clone(), roster.clone(), journal.clone());
        let secrets = Secrets::new(vec![folder.path().join("secrets")], None);
        let delivery = Delivery::new(ports, configs.clone(), (images.clone(), secrets.clone()), known);
        let users = Users::load(&db, journal.clone()).await.unwrap();
        let access = Access::load(&db, roster.clone(), users.clone(), journal.clone()).await.unwrap();
        let client = |_: Option<&Path>| Ok::<_, std::convert::Infallible>(http_client());
        let oidc =
            Oidc::new((None, Vec::new()), client, None, SiteKey::new([7; 32]), journal.clone()).unwrap();
        let discovery =
            Discovery::new(roster.clone(), boots.clone(), machines.clone(), journal.clone(), "dc1");
        Self {
            oidc,
            callers: Callers {
                access: access.clone(),
                users,
                sessions: Sessions::load(&db, journal.clone()).await.unwrap(),
                journal: journal.clone(),
            },
            access: access.clone(),
            agents: Agents::new(
                configs.clone(),
                boots.clone(),
                (machines.clone(), discovery.clone()),
                roster.clone(),
                journal.clone(),
            ),
            inbox: Inbox::new(discovery.clone()),
            discovery,
            changes: Changes::new(
                roster.clone(),
                journal.clone(),
                images,
                (machines.clone(), boots.clone(), access),
                (NextBoots::new(boots.clone(), delivery.clone(), configs.clone()), GUARD),
            ),
            revisions: Revisions::new(db.clone()),
            views: Views::new(roster.clone(), boots.clone(), leases.clone(), leases6.clone()),
            explain: Explain::new(boots.clone(), delivery.clone(), roster.clone()),
            sightings: Sightings::new(journal.clone()),
            webhooks: Webhooks::new(
                db.clone(),
                roster.clone(),
                journal.clone(),
                secrets.clone(),
                how_webhooks_are_told(),
            ),
            secrets,
            tasks: Tasks::new(Clock::Manual(clock.clone())),
            metrics: Metrics::new(),
            console: Console::new(boots.clone(), journal.clone(), db.clone()),
            history: History::new(db.clone()),
            configs,
            db,
            clock,
            journal,
            roster,
            machines,
            boots,
            leases,
            leases6,
            delivery,
            files,
            url,
            writing,
            stop,
            folder,
        }
    }

    /// The same daemon, stopped and started again.
    pub async fn restarted(self) -> Self {
        let Self { db, clock, url, mut writing, stop, folder, .. } = self;
        stop.cancel();
        while writing.join_next().await.is_some() {}
        db.close().await;
        Self::build(folder, url, clock).await
    }

    /// Returns when everything that was handed to the writer is written.
    pub async fn written(&self) {
        let told = self.journal.event("test.mark", "test/mark", &Actor::daemon(), None, "mark".into());
        self.journal.commit(vec![told]).await.unwrap();
    }

    pub fn advance(&self, seconds: u64) {
        let micros = i64::try_from(Duration::from_secs(seconds).as_micros()).unwrap();
        self.clock.fetch_add(micros, Ordering::SeqCst);
    }

    /// A subnet, an image, the profiles `worker` and `seen`, a group for what has the label `role: worker`, and the machine `n1`.
    pub fn documents(&self) -> Vec<Value> {
        let file = |name: &str| {
            let path = self.folder.path().join(name);
            let sha256 = hex::encode(sha2::Sha256::digest(std::fs::read(&path).unwrap()));
            json!({"url": path, "sha256": sha256})
        };
        let butane = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/motd\n      contents: {inline: \"{{ machine.name }} {{ vars.zone | default('none') }}\"}\n";
        vec![
            json!({"kind": "Subnet", "name": "rack-a", "spec": {
                "cidr": "10.77.0.0/24", "mode": "authoritative", "ranges": ["10.77.0.100-10.77.0.103"],
                "gateway": "10.77.0.254", "dns": ["10.77.0.1"], "unknown": "discover", "keepForDeclared": 0}}),
            json!({"kind": "Image", "name": "os", "spec": {"os": "fedora-coreos", "arch": "x86_64", "version": "1",
                "kernel": file("kernel"), "initrd": [file("initrd")], "rootfs": file("rootfs")}}),
            json!({"kind": "Profile", "name": "worker", "spec": {
                "image": "os", "boot": "live", "kernelArgs": ["console=ttyS0"], "butane": butane}}),
            json!({"kind": "Profile", "name": "seen", "spec": {"image": "os", "boot": "discovery"}}),
            json!({"kind": "Group", "name": "workers", "spec": {
                "match": {"labels": {"role": "worker"}}, "profile": "worker", "variables": {"zone": "a"}}}),
            machine("n1", MAC1),
        ]
    }

    pub async fn apply(&self, documents: &[Value]) -> Vec<AppliedItem> {
        self.changes.apply(documents, &operator()).await.unwrap()
    }

    /// The rig with [`Rig::documents`] applied.
    pub async fn with_documents(self) -> Self {
        self.apply(&self.documents()).await;
        self
    }

    /// What a machine gets whose iPXE asks from this address.
    pub async fn ask(&self, mac: &str, from: [u8; 4]) -> Asked {
        self.boots.ask(ipxe(mac), from).await
    }

    /// Fetches the script of a machine, as iPXE does; returns its boot.
    pub async fn script(&self, mac: &str, from: [u8; 4]) -> (BootId, String) {
        let script = self.delivery.script(ipxe(mac), from.into(), OURS.into()).await.unwrap();
        let asked = self.boots.answer(ipxe(mac), from);
        let machine = asked.machine.expect("a machine");
        (self.boots.of(machine.id).expect("a boot").id, script)
    }

    pub fn id(&self, machine: &str) -> MachineId {
        self.roster.read(|inventory| inventory.machine_named(machine).expect("the machine").id)
    }

    pub fn stage(&self, machine: &str) -> &'static str {
        self.roster.read(|inventory| inventory.machine_named(machine).expect("the machine").stage.name())
    }

    pub fn boot(&self, id: BootId) -> Boot {
        Arc::unwrap_or_clone(self.boots.newest(id).expect("a boot").1)
    }

    /// Every event so far, oldest first.
    pub async fn events(&self) -> Vec<Event> {
        self.written().await;
        self.db.read().await.unwrap().events_after(0, None, 10_000).await.unwrap()
    }

    pub async fn kinds(&self) -> Vec<String> {
        self.events().await.into_iter().map(|event| event.kind).collect()
    }

    pub async fn audited(&self, object: &str) -> i64 {
        self.db.read().await.unwrap().audit_count(object).await.unwrap()
    }
}

pub fn machine(name: &str, mac: &str) -> Value {
    json!({"kind": "Machine", "name": name, "labels": {"role": "worker"}, "spec": {"macs": [mac]}})
}

/// What a machine says in its first packet.
pub fn seen_as(mac: Mac, uuid: Option<uuid::Uuid>) -> Says<'static> {
    Says { mac, uuid, serial: None }
}

pub fn operator() -> Actor {
    Actor::named("alice").asking("r1")
}

/// The question that iPXE asks when it comes for its script.
pub fn ipxe(address: &str) -> BootRequest {
    let identity =
        Identity { user_class: Some(b"iPXE"), ipxe_options: Some(&[0x13, 1, 1]), ..Identity::default() };
    BootRequest { mac: mac(address), uuid: None, serial: None, firmware: classify(&identity) }
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// As the daemon does it without a configuration, but that this host's loopback may be reached.
pub fn how_webhooks_are_told() -> webhooks::Settings {
    webhooks::Settings {
        site: "dc1".into(),
        manner: Manner {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(3600),
            give_up: Duration::from_secs(86_400),
        },
        reach: Reach { networks: vec!["127.0.0.0/8".parse().unwrap()], hosts: Vec::new() },
        keep: Duration::from_secs(14 * 86_400),
        keep_count: 10_000,
    }
}

pub fn http_client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap()
}
