//! The site in numbers.
use super::PREFIX;
use crate::{
    http::routes::{Operation, Permission, Routes},
    service::site_now::SiteNow,
};
use axum::{Json, extract::State};
use pilotlight_types::{
    api::Site,
    resource::{RuleKind, Verb},
};

pub(super) fn routes() -> Routes<SiteNow> {
    Routes::under(PREFIX).on(
        Operation::get("/site")
            .takes_right(Permission::On(Verb::Get, RuleKind::Site))
            .called("getSite", "How it goes at the site: boots and links")
            .answers::<Site>(200, "the numbers, as they are now"),
        look,
    )
}

async fn look(State(site): State<SiteNow>) -> Json<Site> {
    Json(site.look())
}
