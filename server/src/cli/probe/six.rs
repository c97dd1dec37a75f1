//! `probe --ipv6`: the same machine over IPv6, from its Solicit to the files of its script.
pub(in crate::cli) mod message;
pub(in crate::cli) mod verdict6;
pub(in crate::cli) mod wire6;

use self::{
    message::{ADVERTISE, RELEASE, REPLY, REQUEST, SOLICIT},
    verdict6::Answer6,
    wire6::{Received6, Wire6},
};
use super::{Boots, PATIENCE, Probe, Program, TRIES, Told};
use crate::dhcp6::wire::Packet;
use anyhow::Result;
use std::time::{Duration, Instant};

/// A preference that ends the waiting for other servers (RFC 8415 section 18.2.1).
const AT_ONCE: u8 = 255;

const EVERYBODY: &str = "everybody (ff02::1:2), port 547";

impl Boots for Probe<Wire6> {
    async fn ask(&mut self, program: Program) -> Result<Option<Told>> {
        let adverts = self.solicit(program).await?;
        self.wrong.extend(verdict6::of_adverts(&adverts));
        let Some(advert) = verdict6::chosen(&adverts) else { return Ok(None) };
        let reply = self.request(program, advert).await?;
        if let Some(wrong) = verdict6::of_reply(advert, reply.as_ref()) {
            self.wrong.push(wrong);
            return Ok(None);
        }
        let Some(reply) = reply else { return Ok(None) };
        self.release(program, &reply)?;
        let firmware = (program == Program::Firmware).then_some(self.machine.firmware);
        let wrong = verdict6::of_boot(&reply, firmware);
        let good = wrong.is_none();
        self.wrong.extend(wrong);
        let file = reply.packet.boot_file().filter(|_| good);
        Ok(file.map(|file| Told { server: None, file }))
    }
}

impl Probe<Wire6> {
    /// Everybody's adverts. One server's word can be that no other is to be waited for.
    async fn solicit(&mut self, program: Program) -> Result<Vec<Answer6>> {
        let transaction = rand::random();
        let message = self.machine.message6(program, SOLICIT, transaction, None, None)?;
        let mut adverts: Vec<Answer6> = Vec::new();
        for _ in 0..TRIES {
            self.sent6(&message);
            self.wire.send(&message)?;
            let deadline = Instant::now() + Duration::from_secs(self.args.wait);
            while let Some(received) = self.wire.reply(transaction, deadline).await? {
                self.received6(&received);
                if received.packet.kind == ADVERTISE {
                    adverts.push(Answer6 { from: received.from, packet: received.packet });
                }
            }
            if !adverts.is_empty() {
                break;
            }
        }
        // Preference decides, and among equals who came first.
        adverts.sort_by_key(|advert| AT_ONCE - advert.packet.preference());
        Ok(adverts)
    }

    /// The answer to a Request for what was advertised.
    async fn request(&mut self, program: Program, advert: &Answer6) -> Result<Option<Answer6>> {
        let (transaction, server) = (rand::random(), advert.server());
        let message =
            self.machine.message6(program, REQUEST, transaction, server.as_ref(), advert.address())?;
        for _ in 0..TRIES {
            self.sent6(&message);
            self.wire.send(&message)?;
            let deadline = Instant::now() + PATIENCE;
            while let Some(received) = self.wire.reply(transaction, deadline).await? {
                self.received6(&received);
                if received.packet.kind == REPLY && received.packet.server() == server {
                    return Ok(Some(Answer6 { from: received.from, packet: received.packet }));
                }
            }
        }
        Ok(None)
    }

    /// Gives the address back: nobody will use it.
    fn release(&self, program: Program, reply: &Answer6) -> Result<()> {
        let message = self.machine.message6(
            program,
            RELEASE,
            rand::random(),
            reply.server().as_ref(),
            reply.address(),
        )?;
        self.sent6(&message);
        self.wire.send(&message)
    }

    fn sent6(&self, bytes: &[u8]) {
        if let Ok(packet) = Packet::read(bytes) {
            self.sent(EVERYBODY, &packet.view(), bytes);
        }
    }

    fn received6(&self, received: &Received6) {
        let Received6 { at, from, packet, bytes } = received;
        self.received(*at, &format!("{}, port {}", from.ip(), from.port()), &packet.view(), bytes);
    }
}
