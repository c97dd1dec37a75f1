//! Metrics for Prometheus. No label has a value for each machine.
mod bmc;
mod ladder;
mod webhooks;

pub use bmc::BmcState;
pub use ladder::LadderState;
pub use webhooks::WebhooksState;

use bmc::BmcMetrics;
use ladder::LadderMetrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::sync::Arc;
use webhooks::WebhookMetrics;

/// An outcome, and the reason of it where it has several.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FoundLabels {
    found: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    listener: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InboxLabels {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SubnetLabels {
    subnet: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    source: &'static str,
    reason: &'static str,
}

/// Every metric of the daemon.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Of DHCP.
    pub dhcp: DhcpMetrics,
    /// Of DHCPv6.
    pub dhcp6: Dhcp6Metrics,
    /// Of TFTP.
    pub tftp: TftpMetrics,
    /// Of HTTP.
    pub http: HttpMetrics,
    /// Of router adverts.
    pub neighbor: NeighborMetrics,
    /// Of what machines say.
    pub syslog: SyslogMetrics,
    state: StateMetrics,
}

/// Counts DHCP packets.
#[derive(Debug, Clone, Default)]
pub struct DhcpMetrics {
    packets: Family<OutcomeLabels, Counter>,
    conflicts: Family<FoundLabels, Counter>,
    foreign: Counter,
}

/// Counts DHCPv6 packets.
#[derive(Debug, Clone, Default)]
pub struct Dhcp6Metrics {
    packets: Family<OutcomeLabels, Counter>,
}

/// Counts TFTP requests.
#[derive(Debug, Clone, Default)]
pub struct TftpMetrics {
    requests: Family<OutcomeLabels, Counter>,
    bytes: Counter,
}

/// Counts router adverts.
#[derive(Debug, Clone, Default)]
pub struct NeighborMetrics {
    adverts: Counter,
}

/// Counts lines of syslog.
#[derive(Debug, Clone, Default)]
pub struct SyslogMetrics {
    lines: Family<OutcomeLabels, Counter>,
}

/// Counts HTTP requests.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<HttpLabels, Counter>,
    bytes: Counter,
    seconds: Histogram,
}

/// What there is, read when somebody asks.
#[derive(Debug, Clone, Default)]
struct StateMetrics {
    loading: Family<SubnetLabels, Gauge>,
    waiting: Family<SubnetLabels, Gauge>,
    held: Family<SubnetLabels, Gauge>,
    rate: Family<SubnetLabels, Gauge>,
    link: Family<SubnetLabels, Gauge>,
    machines: Family<StageLabels, Gauge>,
    overdue: Family<StageLabels, Gauge>,
    inbox: Family<InboxLabels, Gauge>,
    drifted: Gauge,
    leases: Family<SubnetLabels, Gauge>,
    leases6: Family<SubnetLabels, Gauge>,
    boots: Gauge,
    foreign_servers: Gauge,
    secret_failures: Family<SecretLabels, Counter>,
    secrets_waiting: Gauge,
    webhooks: WebhookMetrics,
    bmc: BmcMetrics,
    ladder: LadderMetrics,
}

/// What there is.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Machines in each state of the inbox.
    pub inbox: Vec<(&'static str, usize)>,
    /// Machines that are overdue, in each stage that has a deadline.
    pub overdue: Vec<(&'static str, usize)>,
    /// Machines in each stage.
    pub machines: Vec<(&'static str, usize)>,
    /// Machines that run something else than they should.
    pub drifted: usize,
    /// Addresses held in each subnet.
    pub leases: Vec<(String, usize)>,
    /// IPv6 addresses held in each subnet.
    pub leases6: Vec<(String, usize)>,
    /// Boots that go on.
    pub boots: usize,
    /// Other DHCP servers seen lately where we are the server.
    pub foreign_servers: usize,
    /// How often a secret could not be had since the start, by source and reason.
    pub secret_failures: Vec<((&'static str, &'static str), u64)>,
    /// Boots that wait for one.
    pub secrets_waiting: usize,
    /// How machines are paced, in each subnet where they boot.
    pub pacing: Vec<PacingState>,
    /// How webhooks do.
    pub webhooks: WebhooksState,
    /// How BMCs do.
    pub bmc: BmcState,
    /// Machines that are to boot and do not.
    pub ladder: LadderState,
}

/// How machines of a subnet are paced.
#[derive(Debug, Clone)]
pub struct PacingState {
    /// The subnet.
    pub subnet: String,
    /// Machines that load their image.
    pub loading: usize,
    /// Machines that wait for their turn.
    pub waiting: usize,
    /// Machines whose firmware waits for an offer.
    pub held: usize,
    /// Bytes a second that go to them.
    pub rate: u64,
    /// Bytes a second that their link bears.
    pub link: u64,
}

impl Metrics {
    /// New metrics, all zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("pilotlight");
        let (dhcp, tftp, state) = (DhcpMetrics::default(), TftpMetrics::default(), StateMetrics::default());
        let http = HttpMetrics {
            requests: Family::default(),
            bytes: Counter::default(),
            seconds: Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0]),
        };
        registry.register(
            "dhcp_packets",
            "DHCP packets received, by what came of each",
            dhcp.packets.clone(),
        );
        let dhcp6 = Dhcp6Metrics::default();
        registry.register(
            "dhcp6_packets",
            "DHCPv6 packets received, by what came of each",
            dhcp6.packets.clone(),
        );
        registry.register(
            "dhcp_foreign_requests",
            "REQUESTs that took the offer of another DHCP server, on subnets of the mode `authoritative`",
            dhcp.foreign.clone(),
        );
        registry.register(
            "dhcp_conflicts",
            "Addresses that were found in use though nobody held them, by how: arp, icmp, declined",
            dhcp.conflicts.clone(),
        );
        registry.register(
            "dhcp_foreign_servers",
            "Other DHCP servers that gave addresses within the last hour on subnets that are ours",
            state.foreign_servers.clone(),
        );
        registry.register("tftp_requests", "TFTP requests, by what came of each", tftp.requests.clone());
        registry.register("tftp_sent_bytes", "Bytes that TFTP clients acknowledged", tftp.bytes.clone());
        registry.register("http_requests", "HTTP requests, by listener and status", http.requests.clone());
        registry.register("http_file_bytes", "Bytes of image files sent by HTTP", http.bytes.clone());
        registry.register(
            "http_request_seconds",
            "Seconds until an HTTP response began",
            http.seconds.clone(),
        );
        let neighbor = NeighborMetrics::default();
        let adverts =
            "Router solicitations of iPXE that were answered, each of which spares a boot some 13 seconds";
        registry.register("router_adverts_sent", adverts, neighbor.adverts.clone());
        let syslog = SyslogMetrics::default();
        registry.register(
            "syslog_lines",
            "Lines that machines said, by what came of each",
            syslog.lines.clone(),
        );
        registry.register("machines", "Machines, by stage", state.machines.clone());
        let overdue = "Machines that are longer in their stage than its deadline, by stage";
        registry.register("machines_overdue", overdue, state.overdue.clone());
        let inbox = "Machines that wait for somebody, by why; one may be in several states";
        registry.register("inbox_machines", inbox, state.inbox.clone());
        let drifted =
            "Machines that run another revision than the newest of their profile, or another profile";
        registry.register("machines_drifted", drifted, state.drifted.clone());
        registry.register(
            "leases_held",
            "Addresses that are leased or offered, by subnet",
            state.leases.clone(),
        );
        let leases6 = "IPv6 addresses that are leased or advertised, by subnet";
        registry.register("leases6_held", leases6, state.leases6.clone());
        registry.register("boots_open", "Boots that go on", state.boots.clone());
        registry.register(
            "secret_failures",
            "Secrets of configs that could not be had, by where they are and why",
            state.secret_failures.clone(),
        );
        registry.register(
            "boots_waiting_for_secrets",
            "Boots whose config waits for a secret",
            state.secrets_waiting.clone(),
        );
        registry.register(
            "pacing_loading",
            "Machines that load their image, by subnet",
            state.loading.clone(),
        );
        registry.register(
            "pacing_waiting",
            "Machines that wait for their turn to load, by subnet",
            state.waiting.clone(),
        );
        registry.register(
            "pacing_held_offers",
            "Machines whose firmware waits for an offer, by subnet",
            state.held.clone(),
        );
        let sent = "Bytes that go to booting machines, by subnet";
        registry.register("pacing_sent_bytes_per_second", sent, state.rate.clone());
        let link = "Bytes that a subnet's link is taken to bear";
        registry.register("pacing_link_bytes_per_second", link, state.link.clone());
        registry.register(
            "webhook_tries",
            "Tries to tell webhooks of events, by webhook and outcome: delivered, failed, dead, gone",
            state.webhooks.tries.clone(),
        );
        registry.register(
            "webhook_deliveries",
            "Deliveries that wait or were given up, by webhook and state: pending, dead",
            state.webhooks.deliveries.clone(),
        );
        registry.register(
            "webhook_oldest_pending_seconds",
            "How long the oldest delivery has waited, by webhook",
            state.webhooks.oldest.clone(),
        );
        registry.register(
            "webhooks_paused",
            "Webhooks that nothing is sent to",
            state.webhooks.paused.clone(),
        );
        state.bmc.register(&mut registry);
        state.ladder.register(&mut registry);
        Self { registry: Arc::new(registry), dhcp, dhcp6, tftp, http, neighbor, syslog, state }
    }

    /// The metrics as OpenMetrics text, with what there is now.
    pub fn encode(&self, now: State) -> Result<String, std::fmt::Error> {
        self.state.machines.clear();
        for (stage, count) in now.machines {
            self.state.machines.get_or_create(&StageLabels { stage: stage.to_owned() }).set(number(count));
        }
        for (stage, count) in now.overdue {
            self.state.overdue.get_or_create(&StageLabels { stage: stage.to_owned() }).set(number(count));
        }
        for (state, count) in now.inbox {
            self.state.inbox.get_or_create(&InboxLabels { state }).set(number(count));
        }
        self.state.drifted.set(number(now.drifted));
        self.state.leases.clear();
        for (subnet, count) in now.leases {
            self.state.leases.get_or_create(&SubnetLabels { subnet }).set(number(count));
        }
        self.state.leases6.clear();
        for (subnet, count) in now.leases6 {
            self.state.leases6.get_or_create(&SubnetLabels { subnet }).set(number(count));
        }
        self.state.boots.set(number(now.boots));
        self.state.secrets_waiting.set(number(now.secrets_waiting));
        self.state.secret_failures.clear();
        for ((source, reason), count) in now.secret_failures {
            self.state.secret_failures.get_or_create(&SecretLabels { source, reason }).inc_by(count);
        }
        self.state.foreign_servers.set(number(now.foreign_servers));
        for paced in now.pacing {
            let subnet = SubnetLabels { subnet: paced.subnet };
            let rate = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            self.state.loading.get_or_create(&subnet).set(number(paced.loading));
            self.state.waiting.get_or_create(&subnet).set(number(paced.waiting));
            self.state.held.get_or_create(&subnet).set(number(paced.held));
            self.state.rate.get_or_create(&subnet).set(rate(paced.rate));
            self.state.link.get_or_create(&subnet).set(rate(paced.link));
        }
        self.state.webhooks.set(now.webhooks);
        self.state.bmc.set(now.bmc);
        self.state.ladder.set(now.ladder);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl DhcpMetrics {
    /// Counts a packet.
    pub fn count(&self, outcome: &'static str, reason: &'static str) {
        self.packets.get_or_create(&OutcomeLabels { outcome, reason }).inc();
    }

    /// Counts a REQUEST that takes another server's offer.
    pub fn foreign(&self) {
        self.foreign.inc();
    }

    /// Counts an address that was found in use.
    pub fn conflict(&self, found: &'static str) {
        self.conflicts.get_or_create(&FoundLabels { found }).inc();
    }
}

impl Dhcp6Metrics {
    /// Counts a packet.
    pub fn count(&self, outcome: &'static str, reason: &'static str) {
        self.packets.get_or_create(&OutcomeLabels { outcome, reason }).inc();
    }
}

impl TftpMetrics {
    /// Counts a request.
    pub fn count(&self, outcome: &'static str, bytes: u64) {
        self.requests.get_or_create(&OutcomeLabels { outcome, reason: "" }).inc();
        self.bytes.inc_by(bytes);
    }
}

impl NeighborMetrics {
    /// Counts an advert.
    pub fn count(&self) {
        self.adverts.inc();
    }
}

impl SyslogMetrics {
    /// Counts a line.
    pub fn count(&self, outcome: &'static str) {
        self.lines.get_or_create(&OutcomeLabels { outcome, reason: "" }).inc();
    }
}

impl HttpMetrics {
    /// Counts a request whose response began after that many seconds.
    pub fn count(&self, listener: &'static str, code: u16, seconds: f64) {
        self.requests.get_or_create(&HttpLabels { listener, code }).inc();
        self.seconds.observe(seconds);
    }

    /// Counts bytes of files.
    pub fn sent(&self, bytes: u64) {
        self.bytes.inc_by(bytes);
    }
}
