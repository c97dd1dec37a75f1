//! Machines: what is, and what operators ask of them. What is declared of them goes the way of every resource.
use super::{PREFIX, conditions::Shown};
use crate::{
    http::{
        Peer,
        auth::Caller,
        body::{Sent, SentOrNot},
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::{
        discovery::Discovery,
        explain::{Explain, Packets},
        machines::{Lock, Machines},
        medians::Medians,
        views::Views,
    },
};
use axum::{
    Json,
    extract::{ConnectInfo, Path, Query, State},
};
use pilotlight_types::{
    Mac, Timestamp,
    api::{
        AcceptRequest, BootMedians, ClassBy, Explanation, HoldRequest, Machine, PacketExplanation,
        PacketQuestion,
    },
    resource::{Duration, Kind, RuleKind, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub(super) struct MachinesApi {
    pub(super) views: Views,
    pub(super) machines: Machines,
    pub(super) discovery: Discovery,
    pub(super) medians: Medians,
    pub(super) explain: Explain,
    pub(super) packets: Packets,
}

pub(super) fn routes() -> Routes<MachinesApi> {
    // A machine that nobody declared may be asked for as well.
    let see_all = Permission::Every(Verb::Get, RuleKind::Resource(Kind::Machine));
    let action = |verb: Verb, id: &str, does: &str| {
        Operation::post(format!("/machines/{{name}}/{verb}"))
            .needs(verb, Kind::Machine)
            .called(id, does)
            .answers::<Machine>(200, "the machine, as it is now")
            .tagged()
            .refuses(&[409])
    };
    Routes::under(PREFIX)
        .on(
            Operation::get("/machines/{name}/explain")
                .needs(Verb::Get, Kind::Machine)
                .called("explainMachine", "What the machine gets now, and why, secrets masked")
                .answers::<Explanation>(200, "script and config, with the reasons"),
            explain_machine,
        )
        .on(
            Operation::get("/machines/{name}/medians")
                .needs(Verb::Get, Kind::Machine)
                .called("getMachineMedians", "How boots usually go of other machines like this one")
                .says("Without `by`, others are like it that have the same profile; if it has none, the same model.")
                .asks::<Like>()
                .answers::<BootMedians>(200, "the median of each phase"),
            usual,
        )
        .on(
            action(Verb::Accept, "acceptMachine", "Takes in a machine that is discovered, or retired")
                .says(
                    "As it is expected, if it is; under another name and with further labels, if the body says so. Nothing on \
                     the machine is changed by that: it is not wiped.",
                )
                .may_take::<AcceptRequest>(),
            accept,
        )
        .on(
            action(Verb::Provision, "provisionMachine", "Arms it for the newest revision of its profile"),
            provision,
        )
        .on(
            action(Verb::Hold, "holdMachine", "Locks it: when it boots, it waits").takes::<HoldRequest>(),
            hold,
        )
        .on(action(Verb::Release, "releaseMachine", "Unlocks it"), release)
        .on(
            action(Verb::Retire, "retireMachine", "Takes it out of service: it gets no answer any more"),
            retire,
        )
        .on(
            Operation::get("/explain")
                .takes_right(see_all)
                .called("explainIdentity", "What a machine that says this of itself gets now, and why")
                .says("One or more of `mac`, `uuid` and `serial`; whether it is declared or not.")
                .asks::<Which>()
                .answers::<Explanation>(200, "script and config, with the reasons")
                .refuses(&[404]),
            explain_mac,
        )
        .on(
            Operation::post("/explain")
                .takes_right(see_all)
                .called(
                    "explainPacket",
                    "What a DHCP or DHCPv6 packet says, and what would be answered to it",
                )
                .says("Nothing is sent.")
                .takes::<PacketQuestion>()
                .answers::<PacketExplanation>(200, "the packet and the answer, decoded"),
            explain_packet,
        )
}

impl MachinesApi {
    fn show(&self, name: &str) -> Result<Shown, Failure> {
        let machine = self
            .views
            .machine(name)
            .ok_or_else(|| Failure::not_found(format!("there is no machine {}", name.escape_default())))?;
        Shown::machine(&machine)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Like {
    /// What machines have in common that are like each other.
    by: Option<ClassBy>,
}

async fn usual(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Query(like): Query<Like>,
    Caller(actor): Caller,
) -> Result<Json<BootMedians>, Failure> {
    let seen = actor.rights.taken(Verb::Get, RuleKind::Resource(Kind::Machine));
    let medians = api.medians.of(&name, like.by, &seen);
    let missing = || Failure::not_found(format!("there is no machine {}", name.escape_default()));
    medians.map(Json).ok_or_else(missing)
}

async fn accept(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
    SentOrNot(request): SentOrNot<AcceptRequest>,
) -> Result<Shown, Failure> {
    let now = api.discovery.accept(&name, &request, &actor).await?;
    api.show(now.as_str())
}

async fn provision(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
) -> Result<Shown, Failure> {
    api.machines.provision(&name, &actor).await?;
    api.show(&name)
}

async fn hold(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
    Sent(request): Sent<HoldRequest>,
) -> Result<Shown, Failure> {
    let until = end((request.until, request.lasts), &api.machines)?;
    let lock = Lock { reason: reason(&request.reason)?, until };
    api.machines.hold(&name, Some(lock), &actor).await?;
    api.show(&name)
}

/// When a hold ends, said as a time or as how long it lasts.
pub(super) fn end(
    said: (Option<Timestamp>, Option<Duration>),
    machines: &Machines,
) -> Result<Option<Timestamp>, Failure> {
    match said {
        (Some(_), Some(_)) => Err(Failure::bad_request("either `until` or `for` says when it ends")),
        (Some(until), None) if until <= machines.now() => {
            Err(Failure::bad_request(format!("`until`: {until} is over already")))
        }
        (until, None) => Ok(until),
        (None, Some(lasts)) => Ok(Some(machines.now().plus(lasts.std()))),
    }
}

/// Why a machine is on hold, as people can read it later.
pub(super) fn reason(text: &str) -> Result<&str, Failure> {
    let reason = text.trim();
    if reason.is_empty() || reason.len() > 500 || reason.contains(char::is_control) {
        return Err(Failure::bad_request("`reason`: up to 500 printable characters are expected"));
    }
    Ok(reason)
}

async fn release(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
) -> Result<Shown, Failure> {
    api.machines.hold(&name, None, &actor).await?;
    api.show(&name)
}

async fn retire(
    State(api): State<MachinesApi>,
    Path(name): Path<String>,
    Caller(actor): Caller,
) -> Result<Shown, Failure> {
    api.machines.retire(&name, &actor).await?;
    api.show(&name)
}

async fn explain_machine(
    State(api): State<MachinesApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
) -> Result<Json<Explanation>, Failure> {
    Ok(Json(api.explain.machine(&name, peer.local.ip())?))
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// A MAC.
    mac: Option<Mac>,
    /// A SMBIOS UUID.
    uuid: Option<Uuid>,
    /// A serial number.
    serial: Option<String>,
}

async fn explain_mac(
    State(api): State<MachinesApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(which): Query<Which>,
) -> Result<Json<Explanation>, Failure> {
    let Which { mac, uuid, serial } = which;
    if mac.is_none() && uuid.is_none() && serial.is_none() {
        return Err(Failure::bad_request("one of `mac`, `uuid` and `serial` is expected"));
    }
    Ok(Json(api.explain.whoever(mac, (uuid, serial.as_deref()), peer.local.ip())?))
}

async fn explain_packet(
    State(api): State<MachinesApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Sent(question): Sent<PacketQuestion>,
) -> Result<Json<PacketExplanation>, Failure> {
    Ok(Json(api.packets.explain(&question, peer.local.ip())?))
}
