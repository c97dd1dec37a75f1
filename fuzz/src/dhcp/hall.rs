//! A daemon's DHCP with an inventory in memory, and a database that is a few maps.
use pilotlight::{
    clock::Clock,
    dhcp::{
        DhcpAnswers,
        listener::{Answered, Arrival, Handler as _},
        wire::Request,
    },
    domain::{
        inventory::{Declared, Inventory},
        machine::Machine,
        stage::{Revision, Stage},
    },
    metrics::Metrics,
    service::{
        boots::Boots, files::Files, firmware::FirmwareTable, journal::Journal, leases::Leases,
        machines::Machines, ports::Ports, roster::Roster, sightings::Sightings,
    },
    store::{BootRow, Db, LeaseRow, StoreError, Write, Writer},
};
use pilotlight_types::{MachineId, Timestamp, resource::Labels};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    net::Ipv4Addr,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Our own addresses, each on an interface of its own.
pub const OURS: [Ipv4Addr; 6] = [
    Ipv4Addr::new(10, 77, 0, 1),
    Ipv4Addr::new(10, 78, 0, 1),
    Ipv4Addr::new(10, 79, 0, 1),
    Ipv4Addr::new(10, 80, 0, 1),
    Ipv4Addr::new(10, 81, 0, 1),
    Ipv4Addr::new(10, 82, 0, 1),
];

/// A machine that is out of service, and gets nothing.
pub const RETIRED: u8 = 3;

/// What outlives the daemon.
#[derive(Default)]
pub struct Kept {
    pub leases: BTreeMap<Ipv4Addr, LeaseRow>,
    machines: HashMap<MachineId, Machine>,
    boots: HashMap<MachineId, BootRow>,
    refuses: bool,
}

impl Kept {
    /// As the tables do it.
    fn keep(&mut self, writes: Vec<Write>) -> Result<(), StoreError> {
        if std::mem::take(&mut self.refuses) {
            return Err(StoreError::Lost { why: "the disk is full".into() });
        }
        for write in writes {
            match write {
                Write::Lease(row) => {
                    self.leases.retain(|_, other| {
                        row.lease.mac.is_none()
                            || other.subnet != row.subnet
                            || other.lease.mac != row.lease.mac
                    });
                    self.leases.insert(row.lease.ip, row);
                }
                Write::NoLease(ip, mac) => {
                    self.leases.retain(|at, row| *at != ip || row.lease.mac != Some(mac))
                }
                Write::Machine(machine) => drop(self.machines.insert(machine.id, *machine)),
                Write::Boot(row) => drop(self.boots.insert(row.machine, *row)),
                _ => {}
            }
        }
        Ok(())
    }
}

pub struct Hall {
    pub answers: DhcpAnswers,
    kept: Arc<Mutex<Kept>>,
    time: Arc<AtomicI64>,
    writing: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Hall {
    pub fn new() -> Self {
        let time = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let kept = Arc::new(Mutex::new(Kept::default()));
        let machines = base().machines().map(|machine| (machine.id, (**machine).clone())).collect();
        lock(&kept).machines = machines;
        let (answers, writing) = daemon(&kept, &time);
        Self { answers, kept, time, writing }
    }

    /// Killed and started again.
    pub fn restart(&mut self) {
        (self.answers, self.writing) = daemon(&self.kept, &self.time);
    }

    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    pub fn refuse_next(&mut self) {
        lock(&self.kept).refuses = true;
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.time.load(Ordering::Relaxed))
    }

    pub fn passes(&mut self, time: Duration) {
        self.time.fetch_add(i64::try_from(time.as_micros()).unwrap_or_default(), Ordering::Relaxed);
    }

    /// The answer, which waits for nothing but the database.
    pub fn ask(&mut self, request: &Request, arrival: &Arrival) -> Answered {
        let mut context = Context::from_waker(Waker::noop());
        let mut answer = pin!(self.answers.handle(request.clone(), arrival.clone()));
        for _ in 0..1000 {
            if let Poll::Ready(answered) = answer.as_mut().poll(&mut context) {
                let _ = self.writing.as_mut().poll(&mut context);
                return answered;
            }
            let _ = self.writing.as_mut().poll(&mut context);
        }
        panic!("an answer waits for something that does not come: {request:?}");
    }

    /// What nobody waits for is written.
    pub fn settle(&mut self) {
        let _ = self.writing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn daemon(
    kept: &Arc<Mutex<Kept>>,
    time: &Arc<AtomicI64>,
) -> (DhcpAnswers, Pin<Box<dyn Future<Output = ()> + Send>>) {
    let (db, files) = host();
    let keeper = kept.clone();
    let (writer, writing) = Writer::kept_by(move |writes| lock(&keeper).keep(writes));
    let journal = Journal::new(writer, Clock::Manual(time.clone()));
    let (machines, leases, boots) = {
        let kept = lock(kept);
        let leases: Vec<LeaseRow> = kept.leases.values().cloned().collect();
        let boots: Vec<BootRow> = kept.boots.values().cloned().collect();
        (kept.machines.values().cloned().map(Arc::new).collect::<Vec<_>>(), leases, boots)
    };
    let roster = Roster::default();
    roster.change(|inventory| {
        *inventory = base().clone();
        machines.into_iter().for_each(|machine| inventory.put(machine));
    });
    let machines = Machines::new(roster.clone(), journal.clone());
    let firmware = FirmwareTable::new(files.clone());
    let boots = Boots::new(boots, db.clone(), roster.clone(), journal.clone(), machines, firmware);
    let ours = OURS.into_iter().collect();
    let leases = Leases::new(leases, roster.clone(), boots.clone(), journal.clone(), ours);
    let answers = DhcpAnswers {
        boots,
        leases,
        roster,
        sightings: Sightings::new(journal.clone()),
        journal,
        ports: Ports { advertise: None, http: 8080, https: 8443, syslog: false },
        shared: false,
        limiter: Mutex::default(),
        metrics: Metrics::new().dhcp,
    };
    (answers, Box::pin(writing))
}

/// A database that is never asked, and the boot programs: the same for each run.
fn host() -> (&'static Db, &'static Files) {
    static HOST: OnceLock<(tokio::runtime::Runtime, tempfile::TempDir, Db, Files)> = OnceLock::new();
    let (_, _, db, files) = HOST.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        for program in ["undionly.kpxe", "snponly.efi"] {
            std::fs::write(folder.path().join(program), b"a boot program").expect("a file");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let db = runtime.block_on(Db::sqlite(&folder.path().join("none.db"))).expect("a database");
        let files = Files::load(folder.path(), None, 8080).expect("boot programs");
        (runtime, folder, db, files)
    });
    (db, files)
}

/// What is declared: a subnet of each mode, and one behind a relay; machines with and without a reservation.
pub fn base() -> &'static Inventory {
    static BASE: OnceLock<Inventory> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut inventory = Inventory::default();
        let subnets = [
            ("rack-a", json!({"cidr": "10.77.0.0/24", "mode": "authoritative", "ranges": ["10.77.0.100-10.77.0.107"],
                "exclude": ["10.77.0.103"], "gateway": "10.77.0.106", "dns": ["10.77.0.1"], "domain": "dc1.example",
                "unknown": "discover"})),
            ("rack-b", json!({"cidr": "10.77.1.0/24", "mode": "authoritative", "ranges": ["10.77.1.10-10.77.1.13"],
                "unknown": "accept", "options": {"224": "x".repeat(250), "43": {"hex": "0102"}}})),
            ("beside", json!({"cidr": "10.78.0.0/24", "mode": "proxy", "unknown": "discover"})),
            ("watched", json!({"cidr": "10.79.0.0/24", "mode": "shadow", "ranges": ["10.79.0.10-10.79.0.19"],
                "unknown": "discover"})),
            ("ignored", json!({"cidr": "10.80.0.0/24", "mode": "ignore"})),
            ("closed", json!({"cidr": "10.82.0.0/24", "mode": "authoritative", "ranges": ["10.82.0.10-10.82.0.12"],
                "unknown": "ignore"})),
        ];
        for (name, spec) in subnets {
            inventory.subnets.insert(name.parse().expect("a name"), declared(spec));
        }
        let revision = Revision { profile: "worker".parse().expect("a name"), revision: 1 };
        let profile = declared::<pilotlight_types::resource::ProfileSpec>(json!({"boot": "local"}));
        inventory.profile_revisions.insert(revision.clone(), profile.spec.clone());
        inventory.profiles.insert(revision.profile.clone(), profile);
        let machines = [
            (json!({"ip": "10.77.0.50"}), Stage::Ready),
            (json!({"ip": "10.77.0.101"}), Stage::Active(revision.clone())),
            (json!({}), Stage::Provisioning(revision)),
            (json!({}), Stage::Retired),
            (json!({"uuid": "01020304-0506-0708-090a-0b0c0d0e0f10"}), Stage::Ready),
        ];
        for (number, (mut spec, stage)) in (0..).zip(machines) {
            spec["macs"] = json!([super::packets::mac(number).to_string()]);
            let spec = serde_json::from_value(spec).expect("a machine");
            let (id, now) = (MachineId::new(Timestamp::default(), [number; 10]), Timestamp::default());
            let name = format!("n{number}").parse().expect("a name");
            inventory.put(Arc::new(Machine::new(id, name, Labels::default(), spec, stage, now)));
        }
        inventory
    })
}

fn declared<T: DeserializeOwned>(spec: serde_json::Value) -> Declared<T> {
    let spec = Arc::new(serde_json::from_value(spec).expect("what is declared here is right"));
    Declared { labels: Labels::default(), spec, revision: 1, updated: Timestamp::default() }
}
