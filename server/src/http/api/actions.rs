//! What is asked of several machines at once: each has its own answer.
use super::{
    PREFIX,
    machines::{end, reason},
};
use crate::{
    domain::selector::Selector,
    http::{
        auth::Caller,
        body::Sent,
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::{
        journal::Actor,
        machines::{Lock, Machines},
        scopes::Scopes,
        views::Views,
    },
};
use axum::{Json, extract::State};
use pilotlight_types::{
    api::{MachineAction, MachineResult, MachinesAnswer, MachinesRequest},
    resource::{Kind, Name, RuleKind, Verb},
};

#[derive(Debug, Clone)]
pub(super) struct ActionsApi {
    pub(super) machines: Machines,
    pub(super) scopes: Scopes,
    pub(super) views: Views,
}

/// How many machines may be named at once.
const MOST_NAMES: usize = 10_000;

/// What it is about.
const MACHINE: RuleKind = RuleKind::Resource(Kind::Machine);

/// What may be asked.
const VERBS: [Verb; 6] =
    [Verb::Accept, Verb::Provision, Verb::Hold, Verb::Release, Verb::Retire, Verb::Power];

/// What it takes to ask it.
const fn verb(action: MachineAction) -> Verb {
    match action {
        MachineAction::Accept => Verb::Accept,
        MachineAction::Provision => Verb::Provision,
        MachineAction::Hold => Verb::Hold,
        MachineAction::Release => Verb::Release,
        MachineAction::Retire => Verb::Retire,
        MachineAction::Power => Verb::Power,
    }
}

pub(super) fn routes() -> Routes<ActionsApi> {
    let act = Operation::post("/machines/actions")
        .called("actOnMachines", "Asks the same of several machines")
        .says("What one of them refuses keeps none of the others from it: each has its own answer.")
        .takes_right(Permission::OneOf(&VERBS, MACHINE))
        .takes::<MachinesRequest>()
        .answers::<MachinesAnswer>(200, "what came of it, for each");
    Routes::under(PREFIX).on(act, self::act)
}

async fn act(
    State(api): State<ActionsApi>,
    Caller(actor): Caller,
    Sent(request): Sent<MachinesRequest>,
) -> Result<Json<MachinesAnswer>, Failure> {
    let MachinesRequest { action, dry_run, .. } = request;
    let why = match (action, request.reason.as_deref()) {
        (MachineAction::Hold, why) => reason(why.unwrap_or_default())?,
        (_, Some(_)) => return Err(Failure::bad_request("`reason` is for `hold`")),
        (_, None) => "",
    };
    if (request.until.is_some() || request.lasts.is_some()) && action != MachineAction::Hold {
        return Err(Failure::bad_request("`until` and `for` are for `hold`"));
    }
    let until = end((request.until, request.lasts), &api.machines)?;
    let power = match (action, request.power) {
        (MachineAction::Power, None) => {
            return Err(Failure::bad_request("`power` says what is asked of their power"));
        }
        (MachineAction::Power, asked) => asked,
        (_, Some(_)) => return Err(Failure::bad_request("`power` is for `power`")),
        (_, None) => None,
    };
    actor.rights.permits_some(verb(action), MACHINE)?;
    let names = api.meant(&request, &actor)?;
    let (within, without): (Vec<_>, Vec<_>) = names
        .into_iter()
        .map(|name| (api.scopes.permits(&actor.rights, verb(action), MACHINE, name.as_str()), name))
        .partition(|(permitted, _)| permitted.is_ok());
    let within: Vec<Name> = within.into_iter().map(|(_, name)| name).collect();
    let done = if dry_run {
        within.iter().map(|name| api.machines.rehearse(name, action, power)).collect()
    } else {
        api.machines.act(&within, action, (Lock { reason: why, until }, power), &actor).await?
    };
    let mut items: Vec<MachineResult> = within
        .iter()
        .zip(done)
        .map(|(name, done)| match done {
            Ok(stage) => MachineResult {
                name: name.to_string(),
                done: true,
                stage: Some(stage.name().to_owned()),
                code: None,
                detail: None,
            },
            Err(error) => refused(name, error.into()),
        })
        .collect();
    items.extend(without.into_iter().filter_map(|(out, name)| Some(refused(&name, out.err()?.into()))));
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(MachinesAnswer { dry_run, items }))
}

fn refused(name: &Name, failure: Failure) -> MachineResult {
    let (code, detail) = failure.told();
    MachineResult { name: name.to_string(), done: false, stage: None, code: Some(code), detail: Some(detail) }
}

impl ActionsApi {
    /// The machines that are meant: by a selector those that the caller may do it to, by names all of these.
    fn meant(&self, request: &MachinesRequest, actor: &Actor) -> Result<Vec<Name>, Failure> {
        match (request.selector.as_deref(), request.names.as_slice()) {
            (Some(text), []) => {
                let selector: Selector =
                    text.parse().map_err(|e| Failure::bad_request(format!("`selector`: {e}")))?;
                if selector.is_empty() {
                    return Err(Failure::bad_request("`selector` is empty: that would mean every machine"));
                }
                Ok(self
                    .views
                    .names_of_machines(&selector.and(&actor.rights.taken(verb(request.action), MACHINE))))
            }
            (None, names) if (1..=MOST_NAMES).contains(&names.len()) => {
                let mut names = names.to_vec();
                names.sort();
                names.dedup();
                Ok(names)
            }
            (None, []) | (Some(_), _) => {
                Err(Failure::bad_request("either `selector` or `names` says which machines are meant"))
            }
            (None, _) => Err(Failure::bad_request(format!("at most {MOST_NAMES} names are taken at once"))),
        }
    }
}
