//! What firmware and iPXE fetch, in the clear: nothing here is secret but for the one-time token in `config.img`, which is bound to
//! the boot, the machine and its address. Whatever becomes of its boot, a machine is not told 404, which firmware and iPXE take for
//! the end: it waits, and asks again. Only a boot program that nobody has is 404.
mod image;
mod tally;

pub use tally::Tally;

use super::{Peer, problem::Failure};
use crate::{
    domain::{
        boot::BootRequest,
        firmware::{Identity, classify},
        identity::serial_key,
    },
    metrics::HttpMetrics,
    service::{
        boots::{Boots, Seen},
        content::Contents,
        delivery::Delivery,
        files::Files,
        ports::SERIAL,
    },
};
use axum::{
    Router,
    extract::{ConnectInfo, Path, Query, State, rejection::QueryRejection},
    http::{Method, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use pilotlight_types::{BootId, Mac, api::Phase};
use serde::Deserialize;
use std::sync::Arc;
use uuid::Uuid;

/// What the boot endpoints need.
#[derive(Debug, Clone)]
pub struct BootFiles {
    /// Scripts, image files, configs.
    pub delivery: Delivery,
    /// The content of image files.
    pub contents: Contents,
    /// What was taken of them in small ranges.
    pub tally: Tally,
    /// Boot programs and the agent.
    pub files: Files,
    /// Where it is written down.
    pub boots: Boots,
    /// Counts bytes.
    pub metrics: HttpMetrics,
}

pub(super) fn router(boot: BootFiles) -> Router {
    Router::new()
        .route("/boot/ipxe", get(script))
        .route("/boot/files/{*name}", get(program))
        .route("/boot/{boot}/config.img", get(config))
        .route("/boot/{boot}/{file}", get(image::file))
        .with_state(Arc::new(boot))
}

#[derive(Debug, Default, Deserialize)]
struct Who {
    mac: Option<String>,
    uuid: Option<String>,
    serial: Option<String>,
}

async fn script(
    State(boot): State<Arc<BootFiles>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    who: Result<Query<Who>, QueryRejection>,
) -> Response {
    let Query(who) = who.unwrap_or_default();
    let mac = who.mac.as_deref().and_then(|mac| mac.parse::<Mac>().ok()).filter(|mac| mac.is_host());
    let Some(mac) = mac else {
        return text(wait("this request names no MAC: /boot/ipxe?mac=52-54-00-12-34-56 is expected"));
    };
    let uuid = who.uuid.and_then(|uuid| uuid.parse::<Uuid>().ok());
    let identity =
        Identity { user_class: Some(b"iPXE"), ipxe_options: Some(&[0x13, 1, 1]), ..Identity::default() };
    let serial =
        who.serial.filter(|serial| serial_key(serial).is_some()).map(|serial| serial.trim().to_owned());
    let request = BootRequest { mac, uuid, serial, firmware: classify(&identity) };
    match boot.delivery.script(request, peer.remote.ip(), peer.local.ip()).await {
        Ok(script) => text(script),
        Err(error) => {
            tracing::error!(machine.mac = %mac, error = &error as &dyn std::error::Error, "a script was not made; {mac} waits");
            text(wait("the server cannot answer now"))
        }
    }
}

/// The script of a machine that nothing can be said to. iPXE fills in who it is, for what it said may have been the trouble.
fn wait(why: &str) -> String {
    format!(
        "#!ipxe\necho Pilotlight: {why}\nsleep 10\n\
         chain --replace --autofree /boot/ipxe?mac=${{netX/mac:hexhyp}}&uuid=${{uuid}}{SERIAL} || exit 1\n"
    )
}

fn text(script: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], script)
        .into_response()
}

async fn program(
    State(boot): State<Arc<BootFiles>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    method: Method,
    Path(name): Path<String>,
) -> Response {
    let agent = boot.files.agent().filter(|_| name == "pilotlight-agent").map(|agent| agent.content.clone());
    let Some(content) = agent.clone().or_else(|| boot.files.program(&name, peer.local.ip())) else {
        return Failure::not_found("there is no such boot program").into_response();
    };
    if agent.is_none()
        && method == Method::GET
        && let Some(id) = boot.boots.at(peer.remote.ip())
    {
        let size = u64::try_from(content.len()).unwrap_or_default();
        boot.boots.saw(id, Seen::answered(Phase::BootProgram, name, size));
    }
    ([(header::CONTENT_TYPE, "application/octet-stream")], content).into_response()
}

/// The boot that a path means. None is no reason to give up either.
fn boot_id(text: &str) -> Result<BootId, Failure> {
    text.parse().map_err(|_| Failure::unavailable(format!("`{}` is no boot's id", text.escape_default())))
}

async fn config(
    State(boot): State<Arc<BootFiles>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    (method, uri): (Method, Uri),
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id = boot_id(&id)?;
    if method != Method::GET {
        // A token is made for a GET only.
        return Err(super::problem::no_such_method(uri).await);
    }
    let initrd = boot.delivery.config_initrd(id, peer.remote.ip(), peer.local.ip()).await?;
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, initrd).into_response())
}
