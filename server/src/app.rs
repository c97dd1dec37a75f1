//! The composition root: from [`Settings`] to a daemon that serves. The one place that sees everything.
mod error;
mod host;

pub use error::StartError;

use self::host::{
    bind_dhcp, bind_dhcp6, bind_tcp, download_client, listen_for_solicitations, listens, names, oidc_client,
    our_addresses, port, rules, vault, warn_of_missing, webhooks,
};
use crate::{
    clock::Clock,
    config::{DatabaseUrl, Settings},
    dhcp::{
        DhcpAnswers, Probes,
        listener::{Listener as DhcpListener, Role as DhcpRole, Settings as DhcpSettings},
        socket::Socket,
    },
    dhcp6::{self, Dhcp6Answers},
    domain::deadlines::Bounds,
    http::{self, Patience, TlsListener, api::Api},
    interface,
    lifecycle::Lifecycle,
    metrics::Metrics,
    neighbor::{Adverts, Solicitations},
    reception,
    reconcile::{self, Stalls, Waiting},
    service::{
        access::Access,
        agents::Agents,
        audit::Audit,
        bmcs::Bmcs,
        boots::Boots,
        callers::Callers,
        changes::Changes,
        configs::Configs,
        console::Console,
        content::Contents,
        deadlines::Deadlines,
        delivery::Delivery,
        diagnoses::Diagnoses,
        discovery::Discovery,
        doctor::{Doctor, Examine},
        explain::{Explain, Packets},
        files::Files,
        firmware::FirmwareTable,
        history::History,
        images::Images,
        inbox::Inbox,
        journal::{Actor, Journal},
        ladder::{Ladder, LadderCounts},
        leases::Leases,
        leases6::Leases6,
        machines::Machines,
        medians::Medians,
        membership::Membership,
        networks::Networks,
        next_boots::NextBoots,
        oidc::Oidc,
        operations::Operations,
        ports::Ports,
        power::Power,
        revisions::Revisions,
        roster::Roster,
        scopes::Scopes,
        secrets::{Secrets, Vault},
        sessions::Sessions,
        sightings::Sightings,
        site_now::SiteNow,
        system::About,
        tasks::Tasks,
        users::Users,
        views::Views,
        wake::Wake,
        webhooks::Webhooks,
    },
    site::DataDir,
    store::{Db, Writer},
    syslog::{self, Receiver},
    tftp::{
        files::TftpFiles,
        listener::{Listener as TftpListener, Settings as TftpSettings},
    },
};
use axum::Router;
use pilotlight_types::{
    api::{self, NewToken, Role},
    resource::LinkRate,
};
use std::{
    collections::HashSet,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{net::TcpListener, task::JoinSet};

/// A daemon whose sockets are bound and whose state is loaded; nothing runs yet but the writer.
pub struct App {
    http: (TcpListener, Router),
    https: (TcpListener, Router, Arc<rustls::ServerConfig>),
    dhcp: Vec<(Socket, DhcpRole)>,
    solicitations: Vec<Solicitations>,
    adverts: Adverts,
    answers: Arc<DhcpAnswers>,
    dhcp6: Vec<dhcp6::socket::Socket>,
    answers6: Arc<Dhcp6Answers>,
    probes: Probes,
    tftp: TftpListener<TftpFiles>,
    syslog: Option<syslog::Listener>,
    console: Console,
    stalls: Stalls,
    waiting: Waiting,
    ladder: reconcile::Ladder,
    power: (reconcile::Power, Wake),
    vault: Option<Vault>,
    webhooks: Webhooks,
    repeated: Tasks,
    serving: Arc<AtomicBool>,
    db: Db,
    _lock: nix::fcntl::Flock<std::fs::File>,
}

impl App {
    /// Opens the database, loads everything, binds every socket.
    /// `examine` looks at this host and its network, when somebody asks for that.
    pub async fn build(
        settings: Settings,
        clock: Clock,
        examine: Arc<Examine>,
        life: &Lifecycle,
    ) -> Result<Self, StartError> {
        let (data, lock) = DataDir::open(&settings.data_dir)?;
        let dhcp = bind_dhcp(&settings)?;
        let dhcp6 = bind_dhcp6(&settings)?;
        let solicitations =
            settings.dhcp_interfaces.iter().filter_map(|name| listen_for_solicitations(name)).collect();
        let http = bind_tcp("http.listen", settings.http).await?;
        let https = bind_tcp("https.listen", settings.https).await?;
        let ports = Ports {
            advertise: settings.advertise,
            http: port(&http),
            https: port(&https),
            syslog: settings.syslog.is_some_and(|address| address.port() == syslog::PORT),
        };
        let ours = our_addresses(&settings)?;

        let db = match &settings.database {
            DatabaseUrl::Sqlite => Db::sqlite(&data.path("pilotlight.db")).await?,
            DatabaseUrl::Postgres(url) => Db::postgres(url.expose()).await?,
        };
        let (writer, writing) = Writer::new(db.clone(), life.hard.clone());
        life.last.spawn(writing);
        let journal = Journal::new(writer, clock.clone());
        let ca = data.ca(settings.site.as_str())?;
        let given = settings.certificate.as_ref().map(|(chain, key)| (chain.as_path(), key.as_path()));
        let tls = ca.server_config(&ours, &names(), given)?;

        let metrics = Metrics::new();
        let roster = Roster::load(&db).await?;
        let machines = Machines::new(roster.clone(), journal.clone());
        let sightings = Sightings::new(journal.clone());
        let client = download_client()?;
        let folder = data.path("images");
        let images =
            Images::open(&folder, client).map_err(|source| StartError::File { what: folder, source })?;
        let files = Files::load(&settings.ipxe_dir, settings.agent.as_deref(), ports.http)
            .map_err(|source| StartError::File { what: settings.ipxe_dir.clone(), source })?;
        warn_of_missing(&settings, &files);
        let firmware = FirmwareTable::new(files.clone());
        let boots =
            Boots::load(db.clone(), roster.clone(), journal.clone(), machines.clone(), firmware).await?;
        let ours4: HashSet<Ipv4Addr> =
            ours.iter().filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None }).collect();
        let leases = Leases::load(&db, roster.clone(), boots.clone(), journal.clone(), ours4).await?;
        let ours6 =
            ours.iter().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None }).collect();
        let leases6 = Leases6::load(&db, roster.clone(), boots.clone(), journal.clone(), ours6).await?;
        if let Some(link) = settings.dhcp_interfaces.iter().filter_map(|name| interface::speed(name)).max() {
            boots.pacing().assume(LinkRate::mbit(link));
        }
        let configs = {
            let site = (settings.site.to_string(), ca.pem.clone(), data.site_key()?);
            Configs::new(roster.clone(), files.clone(), ports, site)
        };
        let vault = settings.vault.clone().map(vault).transpose()?;
        let secrets = Secrets::new(settings.secret_files.clone(), vault.clone());
        let webhooks = {
            let (journal, secrets) = (journal.clone(), secrets.clone());
            Webhooks::new(db.clone(), roster.clone(), journal, secrets, webhooks(&settings))
        };
        let power = {
            let (journal, secrets) = (journal.clone(), secrets.clone());
            let bmcs = Bmcs::new(roster.clone(), journal.clone(), secrets, settings.site.to_string());
            Power::new(machines.clone(), bmcs, journal)
        };
        let counts = LadderCounts::default();
        let switching = (
            reconcile::Power { switch: power.clone(), running: JoinSet::new() },
            machines.wake_power().clone(),
        );
        let known = (boots.clone(), roster.clone(), journal.clone());
        let delivery = Delivery::new(ports, configs.clone(), (images.clone(), secrets.clone()), known);
        let console = Console::new(boots.clone(), journal.clone(), db.clone());
        let history = History::new(db.clone());
        let users = Users::load(&db, journal.clone()).await?;
        let access = Access::load(&db, roster.clone(), users.clone(), journal.clone()).await?;
        if access.is_empty() {
            let new = NewToken {
                name: "admin".into(),
                role: Role::Admin,
                expires: None,
                scope: api::Scope::default(),
            };
            data.write_admin_token(&access.create(new, &Actor::daemon()).await?)?;
        }
        let callers = Callers {
            users,
            sessions: Sessions::load(&db, journal.clone()).await?,
            access: access.clone(),
            journal: journal.clone(),
        };
        let oidc = {
            let people = settings.oidc.clone();
            let ca = people.as_ref().and_then(|people| people.ca.clone());
            let read = |path: std::path::PathBuf| {
                std::fs::read_to_string(&path).map_err(|source| StartError::File { what: path, source })
            };
            let believed = (people, settings.exchange.clone());
            Oidc::new(believed, oidc_client, ca.map(read).transpose()?, data.site_key()?, journal.clone())?
        };
        let views = Views::new(roster.clone(), boots.clone(), leases.clone(), leases6.clone());
        let serving = Arc::new(AtomicBool::new(false));
        let site = settings.site.to_string();
        let discovery =
            Discovery::new(roster.clone(), boots.clone(), machines.clone(), journal.clone(), &site);
        let inbox = Inbox::new(discovery.clone());
        let health = http::Health {
            inbox: inbox.clone(),
            history: history.clone(),
            metrics: metrics.clone(),
            views: views.clone(),
            boots: boots.clone(),
            delivery: delivery.clone(),
            secrets: secrets.clone(),
            webhooks: webhooks.clone(),
            power: power.clone(),
            ladder: counts.clone(),
            sightings: sightings.clone(),
            journal: journal.clone(),
            serving: serving.clone(),
        };
        let boot_files = http::BootFiles {
            delivery: delivery.clone(),
            contents: Contents::default(),
            tally: http::Tally::default(),
            files: files.clone(),
            boots: boots.clone(),
            metrics: metrics.http.clone(),
        };
        let answers = Arc::new(DhcpAnswers {
            boots: boots.clone(),
            leases: leases.clone(),
            roster: roster.clone(),
            journal: journal.clone(),
            ports,
            sightings: sightings.clone(),
            shared: settings.dhcp_share_port,
            limiter: Mutex::default(),
            metrics: metrics.dhcp.clone(),
        });
        let answers6 = Arc::new(Dhcp6Answers {
            duid: data.duid()?,
            serves: !dhcp6.is_empty(),
            boots: boots.clone(),
            leases: leases6,
            roster: roster.clone(),
            journal: journal.clone(),
            ports,
            sightings: sightings.clone(),
            limiter: Mutex::default(),
            metrics: metrics.dhcp6.clone(),
        });
        let waiting = Waiting { machines: machines.clone(), discovery: discovery.clone() };
        let deadlines = {
            let bounds = Bounds { floor: settings.floor.std(), ceiling: settings.patience.std() };
            let known = (roster.clone(), boots.clone(), journal.clone());
            Deadlines::new(known.0, known.1, known.2, bounds, settings.post.std())
        };
        let diagnoses = {
            let (boots, console) = (boots.clone(), console.clone());
            Diagnoses::new(roster.clone(), boots, console, sightings.clone(), journal.clone())
        };
        let ladder = {
            let bmcs = power.bmcs().clone();
            let who = (machines.clone(), roster.clone(), boots.clone(), bmcs);
            let why = (deadlines.clone(), diagnoses.clone());
            let steps =
                Ladder::new(who, why, journal.clone(), Arc::new(rules(&settings.ladder)), counts.clone());
            reconcile::Ladder { steps, running: JoinSet::new() }
        };
        let foresight = NextBoots::new(boots.clone(), delivery.clone(), configs.clone());
        let agents = Agents::new(
            configs,
            boots.clone(),
            (machines.clone(), discovery.clone()),
            roster.clone(),
            journal.clone(),
        );
        let packets = Packets { dhcp: answers.clone(), dhcp6: answers6.clone() };
        let operations = Operations::new(clock.clone(), life.soft.clone());
        let repeated = Tasks::new(clock.clone());
        let about = About {
            site: settings.site.to_string(),
            started: clock.now(),
            listens: listens(&settings, &http, &https),
            clock: clock.clone(),
            db: db.clone(),
            roster: roster.clone(),
            views: views.clone(),
            tasks: repeated.clone(),
            doctor: Doctor::new(clock, examine),
            history: history.clone(),
            operations: operations.clone(),
            webhooks: webhooks.clone(),
        };
        let api = Api {
            networks: Networks {
                roster: roster.clone(),
                leases: leases.clone(),
                leases6: answers6.leases.clone(),
                sightings: sightings.clone(),
                journal: journal.clone(),
            },
            membership: Membership::new(roster.clone()),
            about,
            health: health.clone(),
            views: views.clone(),
            changes: Changes::new(
                roster.clone(),
                journal.clone(),
                images,
                (machines.clone(), boots.clone(), access.clone()),
                (foresight, settings.guard_machines),
            ),
            revisions: Revisions::new(db.clone()),
            operations,
            machines,
            discovery,
            inbox,
            boots: boots.clone(),
            medians: Medians::new(roster.clone(), boots.clone()),
            site: SiteNow {
                name: settings.site.to_string(),
                patience: settings.patience,
                roster: roster.clone(),
                boots: boots.clone(),
                journal: journal.clone(),
            },
            console: console.clone(),
            explain: Explain::new(boots.clone(), delivery.clone(), roster.clone()).asking(packets.clone()),
            packets,
            audit: Audit::new(db.clone()),
            access,
            callers: callers.clone(),
            oidc: oidc.clone(),
            scopes: Scopes::new(roster.clone()),
            webhooks: webhooks.clone(),
            power,
            journal: journal.clone(),
            history: history.clone(),
            stop: life.soft.clone(),
        };
        let status = http::StatusPage {
            scopes: Scopes::new(roster.clone()),
            views,
            journal: journal.clone(),
            history: history.clone(),
            pacing: boots.pacing().clone(),
            sightings: sightings.clone(),
            site: settings.site.to_string(),
        };
        let sign_in = http::SignInPages { callers: callers.clone(), oidc, site: settings.site.to_string() };
        let plain = http::plain(boot_files, health.clone(), ports.https, &metrics.http);
        let secure = http::secure(
            (api, callers),
            http::AgentApi { delivery, agents },
            (status, sign_in),
            health,
            &metrics.http,
        );
        let tftp_files = TftpFiles { files, boots: boots.clone(), metrics: metrics.tftp.clone() };
        let tftp = TftpListener::bind(settings.tftp, tftp_files, TftpSettings::default())?;
        let receiver = || Receiver::new(console.clone(), journal.clone(), metrics.syslog.clone());
        let syslog = settings.syslog.map(|at| syslog::Listener::bind(at, receiver())).transpose()?;
        let stalls = Stalls {
            boots: boots.clone(),
            roster: roster.clone(),
            console: console.clone(),
            journal: journal.clone(),
            deadlines,
            diagnoses,
        };
        let adverts =
            Adverts { roster: roster.clone(), boots: boots.clone(), metrics: metrics.neighbor.clone() };
        let probes = Probes {
            leases: leases.clone(),
            roster: roster.clone(),
            sightings: sightings.clone(),
            interfaces: settings.dhcp_interfaces.clone(),
            metrics: metrics.dhcp.clone(),
        };
        Ok(Self {
            http: (http, plain),
            https: (https, secure, tls),
            dhcp,
            solicitations,
            adverts,
            answers,
            dhcp6,
            answers6,
            probes,
            tftp,
            syslog,
            console,
            stalls,
            waiting,
            ladder,
            power: switching,
            vault,
            webhooks,
            repeated,
            serving,
            db,
            _lock: lock,
        })
    }

    /// Serves until it is told to stop.
    pub async fn run(self, life: &Lifecycle) -> io::Result<()> {
        let (http, plain) = self.http;
        let (https, secure, tls) = self.https;
        for (what, socket) in [("boot files (http)", &http), ("API, agents and people (https)", &https)] {
            tracing::info!("serving {what} on {}", socket.local_addr()?);
        }
        tracing::info!("serving TFTP on {}", self.tftp.address());
        let stop = &life.soft;
        life.spawn(
            "http",
            http::serve_plain(http, plain, Patience::default(), stop.clone(), life.tasks.clone()),
        );
        let listener = TlsListener::spawn(https, tls, stop.clone(), &life.tasks)?;
        let secure = secure.into_make_service_with_connect_info::<http::Peer>();
        let served = axum::serve(listener, secure).with_graceful_shutdown(stop.clone().cancelled_owned());
        life.spawn("https", async move { served.await });
        for (socket, role) in self.dhcp {
            tracing::info!("serving DHCP on {}, port {}", socket.interface(), socket.port());
            let listener = DhcpListener::new(socket, role, self.answers.clone(), DhcpSettings::default());
            let (stop, tasks) = (stop.clone(), life.tasks.clone());
            life.spawn("dhcp", async move {
                reception::run(listener, stop, tasks).await;
                Ok(())
            });
        }
        for socket in self.dhcp6 {
            tracing::info!("serving DHCPv6 on {}", socket.interface());
            let listener = dhcp6::listener::Listener::new(socket, self.answers6.clone());
            let (stop, tasks) = (stop.clone(), life.tasks.clone());
            life.spawn("dhcp6", async move {
                reception::run(listener, stop, tasks).await;
                Ok(())
            });
        }
        let (probes, passes, stop_probes) = (self.probes, self.repeated.clone(), stop.clone());
        life.spawn("probes", async move {
            probes.run(passes, stop_probes).await;
            Ok(())
        });
        for socket in self.solicitations {
            let (adverts, stop) = (self.adverts.clone(), stop.clone());
            life.spawn("neighbor", async move {
                socket.run(adverts, stop).await;
                Ok(())
            });
        }
        let (tftp, stop_tftp, tasks) = (self.tftp, stop.clone(), life.tasks.clone());
        life.spawn("tftp", async move {
            tftp.run(stop_tftp, tasks).await;
            Ok(())
        });
        if let Some(syslog) = self.syslog {
            tracing::info!("receiving syslog on {}", syslog.address());
            let (stop, tasks) = (stop.clone(), life.tasks.clone());
            life.spawn("syslog", async move {
                syslog.run(stop, tasks).await;
                Ok(())
            });
        }
        let (console, stop_console) = (self.console, stop.clone());
        life.spawn("console", async move {
            console.run(stop_console).await;
            Ok(())
        });
        if let Some(vault) = self.vault {
            let stop_vault = stop.clone();
            life.spawn("vault", async move {
                vault.run(stop_vault).await;
                Ok(())
            });
        }
        let (webhooks, stop_webhooks) = (self.webhooks, stop.clone());
        life.spawn("webhooks", async move {
            webhooks.run(stop_webhooks).await;
            Ok(())
        });
        let (stalls, passes, stop_stalls) = (self.stalls, self.repeated.clone(), stop.clone());
        life.spawn("stalls", async move {
            reconcile::run(stalls, Wake::default(), passes, stop_stalls).await;
            Ok(())
        });
        let (ladder, passes, stop_ladder) = (self.ladder, self.repeated.clone(), stop.clone());
        life.spawn("ladder", async move {
            reconcile::run(ladder, Wake::default(), passes, stop_ladder).await;
            Ok(())
        });
        let ((power, wake), passes, stop_power) = (self.power, self.repeated.clone(), stop.clone());
        life.spawn("power", async move {
            reconcile::run(power, wake, passes, stop_power).await;
            Ok(())
        });
        let (waiting, passes, stop_waiting) = (self.waiting, self.repeated, stop.clone());
        life.spawn("waiting", async move {
            reconcile::run(waiting, Wake::default(), passes, stop_waiting).await;
            Ok(())
        });
        self.serving.store(true, Ordering::Release);
        life.ready();
        life.stopped().await;
        // The last handles of the writer are gone with the tasks; it has written everything when it ends.
        drop((self.answers, self.answers6, self.adverts));
        life.written().await;
        self.db.close().await;
        Ok(())
    }
}
