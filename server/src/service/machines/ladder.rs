//! Where machines are on the ladder: written down in one go with what is asked of their power, before anything is done.
use super::{MachineError, Machines};
use crate::{
    domain::{
        ladder::{Next, asks},
        machine::Machine,
        power::Wanted,
    },
    service::journal::Actor,
    store::Write,
};
use pilotlight_types::{
    MachineId, Timestamp,
    api::{Diagnosis, Hold, LadderStep, PowerRequest},
};

/// The longest reason of a hold, in characters.
const LONGEST: usize = 500;

impl Machines {
    /// Takes the step, if that is still what is to be done; writes this with it. Says whether it was taken.
    pub(in crate::service) async fn climb(
        &self,
        id: MachineId,
        wanted: Next,
        still: impl Fn(&Machine) -> Next,
        diagnosis: &Diagnosis,
        also: &[Write],
    ) -> Result<bool, MachineError> {
        let (now, by) = (self.journal.now(), Actor::daemon());
        let step = |machine: &mut Machine| {
            // Somebody may have done something else with it in the meantime: then nothing is changed.
            if still(machine) == wanted {
                stepped(machine, wanted, diagnosis, &by, now);
            }
            Ok(())
        };
        let after = self.change_with(id, &by, also, step).await?;
        let taken = after.ladder.as_ref().is_some_and(|place| {
            place.ended == Some(now) || place.tried.last().is_some_and(|last| last.at == now)
        });
        if taken {
            self.wake_power.wake();
        }
        Ok(taken)
    }
}

fn stepped(machine: &mut Machine, next: Next, diagnosis: &Diagnosis, by: &Actor, now: Timestamp) {
    match next {
        Next::Nothing | Next::Wait => {}
        Next::Leave => machine.ladder = None,
        Next::Take(step, done) => {
            let place = machine.ladder.get_or_insert_default();
            place.next = done;
            place.diagnosis = Some(diagnosis.clone());
            place.tried.push(LadderStep { step, at: now, for_what: diagnosis.code.clone() });
            if let Some((action, device)) = asks(step, machine.power.on) {
                let request = PowerRequest { action, boot: Some(device) };
                machine.power.wanted = Some(Wanted::new(request, &by.name, now));
            }
        }
        Next::Hold => {
            let place = machine.ladder.get_or_insert_default();
            place.diagnosis = Some(diagnosis.clone());
            place.ended = Some(now);
            let steps = match place.tried.len() {
                0 => "it does not boot, and there is nothing to try".to_owned(),
                1 => "it does not boot after 1 step of the ladder".to_owned(),
                many => format!("it does not boot after {many} steps of the ladder"),
            };
            lock(machine, &format!("{steps}: {}: {}", diagnosis.code, diagnosis.text), None, by, now);
        }
    }
}

/// Locks a machine for a reason: the one way in which machines come on hold.
pub(super) fn lock(
    machine: &mut Machine,
    reason: &str,
    until: Option<Timestamp>,
    by: &Actor,
    now: Timestamp,
) {
    let reason = reason.chars().take(LONGEST).collect();
    machine.hold = Some(Hold { reason, by: by.name.clone(), since: now, until });
}
