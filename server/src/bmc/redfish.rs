//! Redfish (DSP0266): a small client of our own. Sessions are used again and deleted at the end, links are followed and not guessed, and
//! makers' differences are rows in a table.
#![expect(clippy::indexing_slicing, reason = "of JSON: what is not there is null")]
mod http;
mod quirks;
mod reading;
mod tls;

use self::{
    http::{Answer, Sending, Service},
    quirks::Quirks,
};
use super::BmcError;
use crate::{domain::power::Command, secret::Secret};
use pilotlight_types::{
    api::{BootDevice, LogEntry, Sensor},
    resource::BmcSpec,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Where every service begins.
const ROOT: &str = "/redfish/v1/";
/// Where sessions are where the root does not say so.
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// A BMC by Redfish.
#[derive(Debug)]
pub struct Redfish {
    service: Service,
    system: String,
    quirks: Quirks,
    version: String,
}

impl Redfish {
    pub(super) async fn connect(spec: &BmcSpec, password: &Secret<String>) -> Result<Self, BmcError> {
        let mut service = Service::new(spec, password)?;
        let root = service.get(ROOT).await?.json;
        let sessions = link(&root["Links"]["Sessions"])
            .or_else(|| root["SessionService"].is_object().then_some(SESSIONS));
        service.sign_in(sessions).await?;
        match Self::find(&service, spec, &root).await {
            Ok((system, quirks)) => {
                let version = root["RedfishVersion"].as_str().unwrap_or("1").chars().take(16).collect();
                Ok(Self { service, system, quirks, version })
            }
            Err(error) => {
                service.sign_out().await;
                Err(error)
            }
        }
    }

    /// The path of the machine's system, and how its maker differs.
    async fn find(service: &Service, spec: &BmcSpec, root: &Value) -> Result<(String, Quirks), BmcError> {
        let systems = link(&root["Systems"]).unwrap_or("/redfish/v1/Systems");
        let list = service.get(systems).await?.json;
        let paths: Vec<&str> = members(&list).filter_map(link).collect();
        let id = |path: &str| path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let path = match (spec.system.as_deref(), paths.as_slice()) {
            (None, [one]) => *one,
            (Some(wanted), all) => {
                let found = all.iter().find(|path| id(path) == wanted);
                found
                    .copied()
                    .ok_or_else(|| BmcError::Refused(none_of(wanted, all.iter().map(|path| id(path)))))?
            }
            (None, []) => return Err(BmcError::Unsupported("it has no system".to_owned())),
            (None, all) => {
                let ids: Vec<String> = all.iter().take(16).map(|path| id(path)).collect();
                let why = format!("it has several systems: set `system` to one of {}", ids.join(", "));
                return Err(BmcError::Refused(why));
            }
        };
        let system = service.get(path).await?.json;
        Ok((path.to_owned(), quirks::of(root, &system)))
    }

    pub(super) fn about(&self) -> String {
        let how = if self.service.has_session() { "by a session" } else { "by name and password" };
        let make =
            if self.quirks.make == "Redfish" { String::new() } else { format!(" of {}", self.quirks.make) };
        format!("Redfish {}{make}, {how}", self.version)
    }

    async fn state(&self) -> Result<Answer, BmcError> {
        let answer = self.service.get(&self.system).await?;
        if answer.json.is_object() {
            Ok(answer)
        } else {
            Err(BmcError::Garbled("a system that is no object".to_owned()))
        }
    }

    pub(super) async fn is_on(&self) -> Result<bool, BmcError> {
        let system = self.state().await?.json;
        match system["PowerState"].as_str() {
            Some("On" | "PoweringOff" | "Paused") => Ok(true),
            Some("Off" | "PoweringOn") => Ok(false),
            other => {
                let said: String = other.unwrap_or("nothing").chars().take(40).collect();
                Err(BmcError::Garbled(format!("its power state is `{said}`")))
            }
        }
    }

    pub(super) async fn command(&self, command: Command) -> Result<(), BmcError> {
        let system = self.state().await?.json;
        let action = &system["Actions"]["#ComputerSystem.Reset"];
        let target = action["target"].as_str().map_or_else(
            || format!("{}/Actions/ComputerSystem.Reset", self.system.trim_end_matches('/')),
            str::to_owned,
        );
        let allowed: Vec<&str> =
            items(&action["ResetType@Redfish.AllowableValues"]).filter_map(Value::as_str).collect();
        let words: &[&str] = match command {
            Command::On => &["On", "ForceOn"],
            Command::Off => &["ForceOff"],
            Command::Soft => &["GracefulShutdown", "PushPowerButton"],
            Command::Reset => &["ForceRestart"],
        };
        let word =
            if allowed.is_empty() { words.first() } else { words.iter().find(|word| allowed.contains(word)) };
        let Some(word) = word else {
            return Err(BmcError::Unsupported(none_of(
                &words.join(" or "),
                allowed.iter().map(|w| (*w).to_owned()),
            )));
        };
        let body = json!({"ResetType": word});
        let sending = Sending { method: &Method::POST, path: &target, body: Some(&body), if_match: None };
        match self.service.send(sending).await {
            Ok(_) => Ok(()),
            // A second one would be another one.
            Err(BmcError::Away(why) | BmcError::Garbled(why))
                if matches!(command, Command::Reset | Command::Soft) =>
            {
                Err(BmcError::Uncertain(why))
            }
            // What it is told is so already: some say so with a conflict.
            Err(BmcError::Busy(why))
                if why.starts_with("409") && matches!(command, Command::On | Command::Off) =>
            {
                if self.is_on().await? == (command == Command::On) {
                    Ok(())
                } else {
                    Err(BmcError::Busy(why))
                }
            }
            Err(other) => Err(other),
        }
    }

    pub(super) async fn restart(&self) -> Result<(), BmcError> {
        let system = self.state().await?.json;
        let manager = items(&system["Links"]["ManagedBy"]).find_map(link);
        let manager =
            manager.ok_or_else(|| BmcError::Unsupported("its system names no manager".to_owned()))?;
        let found = self.service.get(manager).await?.json;
        let action = &found["Actions"]["#Manager.Reset"];
        let target = action["target"]
            .as_str()
            .ok_or_else(|| BmcError::Unsupported("its manager cannot be reset".to_owned()))?;
        let allowed: Vec<&str> =
            items(&action["ResetType@Redfish.AllowableValues"]).filter_map(Value::as_str).collect();
        let word = ["GracefulRestart", "ForceRestart"].into_iter();
        let mut word = word.filter(|word| allowed.is_empty() || allowed.contains(word));
        let body = json!({"ResetType": word.next().unwrap_or("GracefulRestart")});
        let sending = Sending { method: &Method::POST, path: target, body: Some(&body), if_match: None };
        match self.service.send(sending).await {
            Ok(_) => Ok(()),
            // It is on its way down, most likely; a second one would be another one.
            Err(BmcError::Away(why) | BmcError::Garbled(why)) => Err(BmcError::Uncertain(why)),
            Err(other) => Err(other),
        }
    }

    pub(super) async fn boot_once(&self, device: BootDevice) -> Result<bool, BmcError> {
        let target = match device {
            BootDevice::Pxe => "Pxe",
            BootDevice::Http => "UefiHttp",
            BootDevice::Disk => "Hdd",
        };
        let state = self.state().await?;
        let settings = link(&state.json["@Redfish.Settings"]["SettingsObject"]).map(str::to_owned);
        let settings = settings.filter(|_| self.quirks.settings_object);
        let (path, etag) = match settings {
            Some(path) => {
                let etag = self.service.get(&path).await?.etag;
                (path, etag)
            }
            None => (self.system.clone(), state.etag),
        };
        let etag = etag.or_else(|| self.quirks.needs_if_match.then(|| "*".to_owned()));
        let boot = |mode: bool| {
            let mut boot = json!({"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": target});
            if mode {
                boot["BootSourceOverrideMode"] = json!("UEFI");
            }
            json!({"Boot": boot})
        };
        let patch = async |body: &Value| {
            let (method, if_match) = (&Method::PATCH, etag.as_deref());
            self.service.send(Sending { method, path: &path, body: Some(body), if_match }).await.map(drop)
        };
        match patch(&boot(self.quirks.mode)).await {
            // The mode is not to be set here, which no row knows yet.
            Err(BmcError::Refused(_)) if self.quirks.mode => patch(&boot(false)).await?,
            other => other?,
        }
        let kept = self.service.get(&path).await?.json;
        let kept = &kept["Boot"];
        let once = kept["BootSourceOverrideEnabled"].as_str().is_some_and(|enabled| enabled != "Disabled");
        Ok(once && kept["BootSourceOverrideTarget"] == target)
    }

    pub(super) async fn identify(&self, lit: bool) -> Result<(), BmcError> {
        let state = self.state().await?;
        let etag = state.etag.or_else(|| self.quirks.needs_if_match.then(|| "*".to_owned()));
        // The newer property, then the older one and its two ways to be lit.
        let bodies = if state.json["LocationIndicatorActive"].is_boolean() {
            vec![json!({"LocationIndicatorActive": lit})]
        } else if lit {
            vec![json!({"IndicatorLED": "Lit"}), json!({"IndicatorLED": "Blinking"})]
        } else {
            vec![json!({"IndicatorLED": "Off"})]
        };
        let mut refused = BmcError::Unsupported("it has no identify light".to_owned());
        for body in &bodies {
            let (method, if_match) = (&Method::PATCH, etag.as_deref());
            match self.service.send(Sending { method, path: &self.system, body: Some(body), if_match }).await
            {
                Ok(_) => return Ok(()),
                Err(error @ BmcError::Refused(_)) => refused = error,
                Err(other) => return Err(other),
            }
        }
        Err(refused)
    }

    pub(super) async fn sensors(&self) -> Result<Vec<Sensor>, BmcError> {
        let system = self.state().await?.json;
        reading::sensors(&self.service, &system).await
    }

    pub(super) async fn log(&self, most: usize) -> Result<Vec<LogEntry>, BmcError> {
        let system = self.state().await?.json;
        reading::log(&self.service, &system, most).await
    }

    pub(super) async fn close(self) {
        self.service.sign_out().await;
    }
}

/// Where a link leads.
fn link(value: &Value) -> Option<&str> {
    value["@odata.id"].as_str()
}

/// The members of a collection.
fn members(value: &Value) -> impl Iterator<Item = &Value> {
    items(&value["Members"])
}

/// The items of a list; none of what is no list.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn none_of(wanted: &str, there: impl Iterator<Item = String>) -> String {
    let there: Vec<String> = there.take(16).collect();
    format!("it has no `{wanted}`, only {}", there.join(", "))
}
