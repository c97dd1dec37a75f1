//! What a machine is handed on its way: the script, the image's files, the initrd with the pointer, and its config.
mod kept;
mod told;
mod waiting;

use super::{
    boots::{Asked, Boots, Seen, ends_with_script},
    configs::{ConfigError, Configs, Spot},
    images::Images,
    journal::{Actor, Journal},
    machines::object,
    ports::Ports,
    roster::Roster,
    secrets::Secrets,
};
use crate::{
    domain::{
        attempt::{self, Pinned},
        boot::{BootRequest, Plan},
        delivery,
        inventory::Inventory,
        machine::Machine,
        pacing::Turn,
        profile::{Place, SecretUse},
        script::{self, ScriptFor},
    },
    secret::{new_token, token_hash},
    store::{NewBootToken, StoreError, TokenUse, Write},
};
use bytes::Bytes;
use pilotlight_types::{
    BootId,
    api::{Boot, Outcome, Phase, SecretPlace},
};
use serde_json::Value;
use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};
pub use told::Provenance;
pub(super) use told::values;
use waiting::Waiting;

/// How long a one-time token is good for.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// Hands things to machines.
#[derive(Debug, Clone)]
pub struct Delivery {
    ports: Ports,
    configs: Configs,
    boots: Boots,
    roster: Roster,
    journal: Journal,
    images: Images,
    secrets: Secrets,
    waiting: Waiting,
}

/// Why a machine is not handed something.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// It is not that machine, or not that boot, or not now.
    #[error("{0}")]
    Refused(String),
    /// It should ask again later.
    #[error("{0}")]
    NotNow(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ConfigError> for Denied {
    fn from(error: ConfigError) -> Self {
        Self::NotNow(error.to_string())
    }
}

/// A config as people see it.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The config, with masks.
    pub config: Value,
    /// How many bytes are sent, if each secret is as long as its mask.
    pub bytes: u64,
    /// Where its secrets are.
    pub secrets: Vec<SecretPlace>,
    /// Where each value of the profile's part is from.
    pub parts: Provenance,
}

/// A config as people see it, or why there is none.
pub type Previewed = Result<Preview, ConfigError>;

/// A file of an image, for one boot.
#[derive(Debug, Clone)]
pub struct ImageFile {
    /// Where it is.
    pub path: PathBuf,
    /// The phase that fetching it is.
    pub phase: Phase,
}

impl Delivery {
    /// Hands things to machines that reach us at these ports.
    pub fn new(
        ports: Ports,
        configs: Configs,
        (images, secrets): (Images, Secrets),
        (boots, roster, journal): (Boots, Roster, Journal),
    ) -> Self {
        Self { ports, configs, boots, roster, journal, images, secrets, waiting: Waiting::default() }
    }

    /// The script for a machine that asks from `peer`. There always is one.
    pub async fn script(
        &self,
        request: BootRequest,
        peer: IpAddr,
        local: IpAddr,
    ) -> Result<String, StoreError> {
        let (mac, uuid) = (request.mac, request.uuid);
        let recognised = self.boots.recognise(&request, peer).await;
        let mut asked = self.boots.ask(request, peer).await;
        let again = self.ports.script(local, mac, uuid);
        let Some(machine) = asked.machine.clone() else {
            let name = mac.to_string();
            return Ok(self.with_syslog(local, self.scripted(&asked, &name, peer, ("", &again))));
        };
        let addresses = asked.known.subnet.as_ref().is_some_and(|subnet| subnet.addresses);
        if recognised && addresses && machine.spec.ip.is_some_and(|own| own != peer) {
            // It got an address before it was known who it is. What it loads is bound to an address: it gets its own first.
            return Ok(self.with_syslog(local, script::render_readdress(machine.name.as_str(), &again)));
        }
        self.boots.pacing().arrived(machine.id);
        let mut turn = None;
        match self.pin(&asked, peer) {
            Ok(None) => {}
            Ok(Some((pinned, bytes))) => {
                turn = self.turn(&asked, &machine, bytes);
                asked.pinned = Some(pinned);
            }
            Err(why) => asked.decision.plan = Plan::Hold { why },
        }
        if let Some(Turn::Wait { before, pause, new }) = turn {
            let why = format!("its turn to load comes after {before} others");
            asked.decision.plan = Plan::Hold { why: why.clone() };
            asked.pinned = None;
            self.queue(&asked, &machine, peer, &why, new).await;
            let seconds = pause.as_secs_f32().ceil() as u64;
            let script = script::render_turn(machine.name.as_str(), &why, seconds, &again);
            return Ok(self.with_syslog(local, script));
        }
        let seen = Seen::answered(Phase::Script, asked.decision.plan.to_string(), 0);
        let mut noted = self.boots.note(&asked, &machine, Some(peer), seen).await;
        let boot = noted.boot;
        if let Some(Turn::Now { waited }) = turn.filter(|turn| *turn != Turn::Now { waited: Duration::ZERO })
        {
            let message =
                format!("{}: its turn to load came after {:.1} s", machine.name, waited.as_secs_f32());
            noted.writes.push(self.told("boot.admitted", &machine, boot, message));
        }
        let base = format!("{}/boot/{boot}", self.ports.http(local));
        let script =
            self.with_syslog(local, self.scripted(&asked, machine.name.as_str(), peer, (&base, &again)));
        let mut writes = std::mem::take(&mut noted.writes);
        if noted.again {
            self.journal.later(writes);
        } else {
            writes.push(kept::script(boot, script.clone()));
            self.journal.commit(writes).await?;
            self.boots.is_durable(&noted);
        }
        if ends_with_script(&asked.decision.plan) {
            self.boots.end(boot, Outcome::LocalDisk).await?;
        }
        Ok(script)
    }

    /// Notes that a machine waits for its turn to load.
    async fn queue(&self, asked: &Asked, machine: &Machine, peer: IpAddr, why: &str, new: bool) {
        let seen = Seen::answered(Phase::Script, why, 0);
        let noted = self.boots.note(asked, machine, Some(peer), seen).await;
        let mut writes = noted.writes;
        if new {
            let message = format!("{} waits: {why}", machine.name);
            writes.push(self.told("boot.queued", machine, noted.boot, message));
        }
        // Nothing was promised: after a restart it asks again anyway. A row alone says what the one before said.
        if writes.len() > 1 {
            self.journal.later(writes);
        }
    }

    /// The script that a decision leads to, for people to read.
    pub fn preview(&self, asked: &Asked, machine: &str, local: IpAddr) -> String {
        let own = asked.machine.as_ref().and_then(|machine| machine.spec.ip).map(IpAddr::V4);
        let at = Spot { mac: asked.request.mac, address: own, from: own };
        self.roster.read(|inventory| self.preview_in(inventory, asked, machine, at, local))
    }

    /// The same at that place, were this the inventory.
    pub fn preview_in(
        &self,
        inventory: &Inventory,
        asked: &Asked,
        machine: &str,
        at: Spot,
        local: IpAddr,
    ) -> String {
        let base = format!("{}/boot/BOOT", self.ports.http(local));
        let again = self.ports.script(local, at.mac, asked.request.uuid);
        self.with_syslog(local, self.render(inventory, asked, machine, at, (&base, &again)))
    }

    /// A script, with where iPXE is to send what it says.
    fn with_syslog(&self, local: IpAddr, script: String) -> String {
        match self.ports.syslog(local) {
            Some(server) => script::with_syslog(&script, server),
            None => script,
        }
    }

    /// One of the image's files, as this boot gets it.
    pub fn image_file(&self, boot: BootId, name: &str) -> Result<ImageFile, Denied> {
        let (_, boot) = self.current(boot)?;
        let Some(pinned) = Pinned::of(&boot) else {
            return Err(Denied::NotNow("this boot has no image yet".into()));
        };
        let (file, phase) = match name {
            "kernel" => (pinned.kernel, Phase::Kernel),
            "initramfs.img" => (pinned.initramfs, Phase::Initramfs),
            "rootfs.img" => {
                let none = || Denied::Refused(format!("image {} has no rootfs", pinned.image));
                (pinned.rootfs.clone().ok_or_else(none)?, Phase::Rootfs)
            }
            other => return Err(Denied::Refused(format!("a boot has no file `{}`", other.escape_default()))),
        };
        Ok(ImageFile { path: self.images.path(&file), phase })
    }

    /// The initrd with the pointer to the config, made for this boot with a fresh one-time token. The former one ends.
    pub async fn config_initrd(&self, id: BootId, peer: IpAddr, local: IpAddr) -> Result<Bytes, Denied> {
        let (machine, boot) = self.current(id)?;
        if boot.address.is_some_and(|address| peer != address) {
            let why = format!("{peer} asked for the config of {}, which has another address", machine.name);
            return Err(self.refuse(&machine, id, why).await);
        }
        // The boot's id is on the kernel's command line: any program on the host could ask again later.
        let had = boot.phase(Phase::Ignition).is_some_and(|phase| phase.ended.is_some());
        if had || boot.outcome == Some(Outcome::Active) {
            let why =
                format!("{peer} asked again for the config of {}, which this boot has had", machine.name);
            return Err(self.refuse(&machine, id, why).await);
        }
        let Some(pinned) = Pinned::of(&boot) else {
            return Err(Denied::NotNow("this boot has no config yet".into()));
        };
        let draft = self.configs.draft(&machine, &boot, &pinned.profile, local)?;
        let config: Bytes = draft.masked()?.to_string().into();
        let token = new_token();
        let stored = NewBootToken {
            hash: token_hash(token.expose()),
            boot: id,
            address: peer,
            expires: self.journal.now().plus(TOKEN_LIFE),
        };
        self.journal.commit(vec![Write::BootToken(stored)]).await?;
        let url = format!("{}/agent/v1/boots/{id}/ignition", self.ports.https(local));
        // One with secrets is made when it is fetched, with the values that they have then.
        let promised = draft.secrets().is_empty().then_some(config);
        let pointer = delivery::pointer(&url, token.expose(), self.configs.ca_pem(), promised.as_deref());
        if let Some(config) = promised {
            // Boots that ended need theirs no more.
            let open = |boot| self.boots.newest(boot).is_some_and(|(_, boot)| boot.ended.is_none());
            self.configs.promise(id, config, open);
        }
        let initrd = delivery::initrd(pointer.to_string().as_bytes());
        initrd.map(Bytes::from).map_err(|e| Denied::NotNow(format!("the initrd was not made: {e}")))
    }

    /// The config, for the one-time token that is used up by this.
    pub async fn ignition(
        &self,
        id: BootId,
        token: &str,
        peer: IpAddr,
        local: IpAddr,
    ) -> Result<Bytes, Denied> {
        let (machine, boot) = self.current(id)?;
        let hash = token_hash(token);
        let Some(pinned) = Pinned::of(&boot) else {
            return Err(Denied::NotNow("this boot has no config yet".into()));
        };
        if let Some(hold) = &machine.hold {
            return Err(Denied::NotNow(format!("{} is on hold: {}", machine.name, hold.reason)));
        }
        let used = TokenUse { hash, boot: id, address: peer, at: self.journal.now() };
        // What people may see of it later.
        let mut shown = None;
        let config = match self.configs.kept(id) {
            Some(config) => config,
            None => {
                // The daemon was started again since, and the same config is made from the same things; or it has secrets.
                let draft = self.configs.draft(&machine, &boot, &pinned.profile, local)?;
                if draft.secrets().is_empty() {
                    draft.masked()?.to_string().into()
                } else if self.boots.takes(&used).await? {
                    shown = Some(draft.masked()?);
                    self.with_secrets(&machine, &boot, &draft, &used.hash).await?
                } else {
                    return Err(self.refuse(&machine, id, bad_token(&machine, peer)).await);
                }
            }
        };
        let told = self.journal.event(
            "ignition.fetched",
            &object(&machine.name),
            &Actor::machine(),
            Some(id),
            format!("{} fetched its Ignition config; its one-time token is used up", machine.name),
        );
        let shown = kept::config(id, shown, &config);
        match self.journal.commit(vec![Write::UseBootToken(used), shown, told]).await {
            Ok(()) => {
                let size = u64::try_from(config.len()).unwrap_or(u64::MAX);
                self.boots.saw(id, Seen::answered(Phase::Ignition, pinned.profile.to_string(), size));
                Ok(config)
            }
            Err(StoreError::Conflict { .. }) => {
                Err(self.refuse(&machine, id, bad_token(&machine, peer)).await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The config that a machine would get now, for people to read: secrets are masked, and told by where they are.
    pub fn preview_config(&self, asked: &Asked, local: IpAddr) -> Option<Previewed> {
        let Plan::Boot { profile, .. } = &asked.decision.plan else { return None };
        let machine = asked.machine.as_ref()?;
        let now = self.journal.now();
        let mut boot = attempt::new(BootId::new(now, [0; 10]), &machine.name, asked.request.mac, now);
        let newest = || self.boots.of(machine.id).and_then(|newest| newest.address);
        boot.address = machine.spec.ip.map(IpAddr::V4).or_else(newest);
        let made = self.configs.draft(machine, &boot, profile, local).and_then(|draft| {
            let config = draft.masked()?;
            let bytes = u64::try_from(config.to_string().len()).unwrap_or(u64::MAX);
            let secrets = draft.secrets().iter().map(|(secret, place)| self.told_of(secret, place)).collect();
            Ok(Preview {
                config: delivery::masked(&config),
                bytes,
                secrets,
                parts: self.parts(asked, &draft),
            })
        });
        Some(made)
    }

    fn told_of(&self, secret: &SecretUse, place: &Place) -> SecretPlace {
        SecretPlace {
            name: secret.name.to_string(),
            from: secret.from.clone(),
            place: place.to_string(),
            refused: self.secrets.allows(place).err().map(|why| why.to_string()),
        }
    }

    /// What a machine is served by this plan, and how many bytes those are; or what is missing.
    fn pin(&self, asked: &Asked, peer: IpAddr) -> Result<Option<(Pinned, u64)>, String> {
        let Plan::Boot { profile, image } = &asked.decision.plan else { return Ok(None) };
        let at = Spot { mac: asked.request.mac, address: Some(peer), from: Some(peer) };
        self.roster.read(|inventory| self.kernel_args(inventory, asked, at))?;
        let spec = self.roster.read(|inventory| inventory.images.get(image).map(|image| image.spec.clone()));
        let spec = spec.ok_or_else(|| format!("image {image} is not in the inventory any more"))?;
        let pinned = Pinned {
            profile: profile.clone(),
            image: image.clone(),
            kernel: spec.kernel.sha256.to_string(),
            initramfs: Images::initramfs(&spec.initrd),
            rootfs: spec.rootfs.as_ref().map(|file| file.sha256.to_string()),
        };
        let (now, mut bytes) = (self.journal.now(), 0_u64);
        for file in
            [Some(&pinned.kernel), Some(&pinned.initramfs), pinned.rootfs.as_ref()].into_iter().flatten()
        {
            let size = self.images.size(file, now);
            let lost = || format!("file {file} of image {image} is lost; apply the image again");
            bytes = bytes.saturating_add(size.ok_or_else(lost)?);
        }
        Ok(Some((pinned, bytes)))
    }

    /// Whether a machine may load its image of so many bytes now.
    fn turn(&self, asked: &Asked, machine: &Machine, bytes: u64) -> Option<Turn> {
        let subnet = asked.subnet.as_ref()?;
        Some(self.boots.pacing().ask(subnet, machine.id, bytes, self.journal.now()))
    }

    fn told(&self, kind: &'static str, machine: &Machine, boot: BootId, message: String) -> Write {
        self.journal.event(kind, &object(&machine.name), &Actor::machine(), Some(boot), message)
    }

    fn kernel_args(&self, inventory: &Inventory, asked: &Asked, at: Spot) -> Result<Vec<String>, String> {
        let Plan::Boot { profile, .. } = &asked.decision.plan else { return Ok(Vec::new()) };
        let made = self.configs.kernel_args(inventory, asked.machine.as_deref(), at, profile);
        made.map_err(|error| error.to_string())
    }

    /// The script for a machine that asks from `peer`.
    fn scripted(&self, asked: &Asked, machine: &str, peer: IpAddr, urls: (&str, &str)) -> String {
        let at = Spot { mac: asked.request.mac, address: Some(peer), from: Some(peer) };
        self.roster.read(|inventory| self.render(inventory, asked, machine, at, urls))
    }

    fn render(
        &self,
        inventory: &Inventory,
        asked: &Asked,
        machine: &str,
        at: Spot,
        urls: (&str, &str),
    ) -> String {
        self.with_script(inventory, asked, machine, (at, urls), script::render)
    }

    /// What a script is made of.
    fn with_script<T>(
        &self,
        inventory: &Inventory,
        asked: &Asked,
        machine: &str,
        (at, (base, again)): (Spot, (&str, &str)),
        make: impl FnOnce(ScriptFor<'_>) -> T,
    ) -> T {
        let (plan, kernel_args) = match self.kernel_args(inventory, asked, at) {
            Ok(args) => (asked.decision.plan.clone(), args),
            Err(why) => (Plan::Hold { why }, Vec::new()),
        };
        let image = match &plan {
            Plan::Boot { image, .. } => inventory.images.get(image),
            _ => None,
        };
        make(ScriptFor {
            plan: &plan,
            image: image.map(|image| &*image.spec),
            kernel_args: &kernel_args,
            machine,
            mac: asked.request.mac,
            base,
            again,
            leave: asked.known.firmware.as_ref().and_then(|row| row.leave),
        })
    }

    /// The machine whose newest boot this is.
    fn current(&self, id: BootId) -> Result<(Arc<Machine>, Arc<Boot>), Denied> {
        let (machine, boot) = self
            .boots
            .newest(id)
            .ok_or_else(|| Denied::NotNow(format!("boot {id} is not the newest of any machine")))?;
        let machine =
            self.roster.machine(machine).ok_or_else(|| Denied::NotNow("the machine is gone".into()))?;
        Ok((machine, boot))
    }

    async fn refuse(&self, machine: &Machine, boot: BootId, why: String) -> Denied {
        let told = self.journal.event(
            "token.refused",
            &object(&machine.name),
            &Actor::machine(),
            Some(boot),
            why.clone(),
        );
        match self.journal.commit(vec![told]).await {
            Ok(()) => Denied::Refused(why),
            Err(error) => error.into(),
        }
    }
}

fn bad_token(machine: &Machine, peer: IpAddr) -> String {
    let name = &machine.name;
    format!("{peer} asked for the config of {name} with a one-time token that is used, too old, or another's")
}
