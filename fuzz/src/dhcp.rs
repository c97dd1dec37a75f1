//! The whole of DHCP: packets of several clients, relays and networks in, answers out, with time that passes, probes, a database
//! that fails, and a daemon that is killed and started again in between.
//!
//! An input is a row of steps. Each begins with a byte that says what happens:
//!
//! | byte | what | what follows |
//! |---|---|---|
//! | 0 to 127 | a client asks; see [`packets`] | 10 bytes, one for each part of its packet |
//! | 128 to 191 | a packet as it is | how it came in; two bytes of length, big-endian; its bytes |
//! | 192 to 223 | time passes | seconds; with an odd first byte, minutes |
//! | 224 to 239 | addresses are probed | who is there; one byte |
//! | 240 to 247 | the database refuses the next write | nothing |
//! | 248 to 255 | the daemon is killed and started again | nothing |
mod hall;
mod packets;
mod rules;

use self::{hall::Hall, packets::Seen, rules::Rules};
use super::Input;
use pilotlight::dhcp::{
    listener::{Answered, Arrival, Handler as _, Role},
    wire::{self, Request},
};
use std::time::Duration;

/// So many steps of an input are done; what is beyond would only be slow.
const MOST_STEPS: usize = 32;

/// Does what the input says.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut hall = Hall::new();
    let mut rules = Rules::default();
    let mut seen = Seen::default();
    for _ in 0..MOST_STEPS {
        if step(&mut input, &mut hall, &mut rules, &mut seen).is_none() {
            break;
        }
        rules.hold_everywhere(&hall);
    }
}

fn step(input: &mut Input<'_>, hall: &mut Hall, rules: &mut Rules, seen: &mut Seen) -> Option<()> {
    match input.byte()? {
        0..=127 => {
            let (packet, arrival) = packets::made(input.take(10)?, seen);
            answer(&packet, arrival, hall, rules, seen);
        }
        128..=191 => {
            let arrival = packets::arrival(input.byte()?, None);
            let len = input.take(2)?.first_chunk().map(|len| usize::from(u16::from_be_bytes(*len)))?;
            let packet = input.take(len.min(input.0.len()))?;
            answer(packet, arrival, hall, rules, seen);
        }
        what @ 192..=223 => {
            let unit = if what % 2 == 1 { 60 } else { 1 };
            hall.passes(Duration::from_secs(u64::from(input.byte()?) * unit));
        }
        224..=239 => {
            let who = input.byte()?;
            for (place, (subnet, ip)) in hall.answers.leases.to_probe().into_iter().enumerate() {
                let found = who.rotate_left(u32::try_from(place % 8).unwrap_or_default());
                let somebody = (found & 2 != 0).then(|| packets::mac(found >> 2));
                match found % 2 {
                    0 => hall.answers.leases.nobody_at(&subnet, ip),
                    _ => drop(hall.answers.leases.somebody_at(&subnet, ip, somebody)),
                }
            }
            hall.settle();
            rules.probed();
        }
        240..=247 => hall.refuse_next(),
        248..=255 => {
            hall.restart();
            rules.restarted();
        }
    }
    Some(())
}

/// As the listener does it, between one datagram and the next.
fn answer(packet: &[u8], arrival: Arrival, hall: &mut Hall, rules: &mut Rules, seen: &mut Seen) {
    let Ok(request) = wire::parse(packet) else { return };
    let foretold = hall.answers.preview(&request, &arrival, None).answered;
    let answered = hall.ask(&request, &arrival);
    hall.answers.count(answered.outcome);
    rules.outcome(&answered);
    rules.foretold(&foretold, &answered, &request);
    let Some(reply) = &answered.reply else {
        return rules.unanswered(&request, &arrival, &answered, hall);
    };
    let sent = wire::encode(&request, reply);
    rules.bytes(&request, reply, &sent);
    rules.may_have_it(&request, &arrival, reply, hall);
    if arrival.role == Role::Server {
        rules.goes_to(&request, reply, wire::destination(&request, reply), hall);
    }
    seen.answered(&request, reply);
}

/// Who asked and what came of it, for the message of a panic.
fn said(request: &Request, answered: &Answered) -> String {
    format!("{request:?}\n{answered:?}")
}
