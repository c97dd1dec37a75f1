//! The site in numbers, and how boots usually go: what the overview and a machine's page show.
use crate::{
    http::{asked, secure, token},
    rig::{MAC1, Rig, machine, on_both},
};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use pilotlight::service::boots::Seen;
use pilotlight_types::api::{BootMedians, Outcome, Phase, Role, Site};
use serde::de::DeserializeOwned;
use serde_json::json;

on_both!(
    the_site_is_counted,
    what_is_usual_is_that_of_the_others_of_a_class,
    who_sees_one_rack_compares_with_that_rack,
    a_client_finds_out_whether_the_api_is_another,
);

const MACS: [&str; 4] = [MAC1, "52:54:00:00:00:02", "52:54:00:00:00:03", "52:54:00:00:00:04"];

async fn get<T: DeserializeOwned>(rig: &Rig, role: Role, path: &str) -> (StatusCode, Option<T>) {
    let token = token(rig, &format!("{role}-{}", rig.access.list().len()), role).await;
    let request = Request::builder().uri(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let (status, _, body) = asked(&secure(rig), request, Body::empty()).await;
    (status, serde_json::from_slice(&body).ok())
}

/// `n1` to `n4`, of which the last is no worker.
async fn four(rig: Rig) -> Rig {
    let mut documents = rig.documents();
    documents.extend([machine("n2", MACS[1]), machine("n3", MACS[2])]);
    documents.push(
        json!({"kind": "Machine", "name": "n4", "labels": {"rack": "r9"}, "spec": {"macs": [MACS[3]]}}),
    );
    rig.apply(&documents).await;
    rig
}

/// A machine boots, its kernel takes so many seconds, and it becomes active.
async fn boots(rig: &Rig, number: usize, seconds: u64) {
    let (boot, _) = rig.script(MACS[number - 1], [10, 77, 0, 99 + number as u8]).await;
    rig.boots.saw(boot, Seen::begun(Phase::Kernel, "kernel"));
    rig.advance(seconds);
    rig.boots.saw(boot, Seen::served(Phase::Kernel, 5000, true));
    rig.boots.end(boot, Outcome::Active).await.unwrap();
}

async fn the_site_is_counted(rig: Rig) {
    let rig = four(rig).await;
    boots(&rig, 1, 3).await;
    rig.script(MACS[1], [10, 77, 0, 101]).await;
    let (status, site) = get::<Site>(&rig, Role::Viewer, "/api/v1/site").await;
    let site = site.expect("the site");
    assert_eq!((status, site.name.as_str()), (StatusCode::OK, "test"));
    assert_eq!((site.booting, site.overdue, site.booted), (1, 0, 2));
    let subnet = &site.subnets[0];
    assert_eq!((subnet.name.as_str(), subnet.loading, subnet.waiting), ("rack-a", 1, 0));
    // Silent for more than half of ten minutes.
    rig.advance(301);
    let site = get::<Site>(&rig, Role::Viewer, "/api/v1/site").await.1.unwrap();
    assert_eq!((site.booting, site.overdue), (1, 1));
    rig.advance(3600);
    let site = get::<Site>(&rig, Role::Viewer, "/api/v1/site").await.1.unwrap();
    assert_eq!(site.booted, 0);
}

async fn what_is_usual_is_that_of_the_others_of_a_class(rig: Rig) {
    let rig = four(rig).await;
    let usual = async |name: &str, by: &str| {
        get::<BootMedians>(&rig, Role::Viewer, &format!("/api/v1/machines/{name}/medians{by}"))
            .await
            .1
            .unwrap()
    };
    let first = usual("n1", "").await;
    assert_eq!((first.class.as_deref(), first.boots, first.took_ms), (Some("worker"), 0, None));
    boots(&rig, 1, 60).await;
    boots(&rig, 2, 4).await;
    boots(&rig, 3, 6).await;
    let found = usual("n1", "").await;
    assert_eq!((found.boots, found.took_ms), (2, Some(6000)), "its own is not among them");
    let kernel = found.phases.iter().find(|median| median.phase == Phase::Kernel).expect("the kernel");
    assert_eq!((kernel.after_ms, kernel.took_ms), (0, 6000));
    assert_eq!(usual("n4", "?by=profile").await.class, None, "it has no profile");
    assert_eq!(usual("n1", "?by=model").await.class, None, "it has told no facts");
    let (status, _) = get::<BootMedians>(&rig, Role::Viewer, "/api/v1/machines/none/medians").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

async fn who_sees_one_rack_compares_with_that_rack(rig: Rig) {
    let rig = four(rig).await;
    boots(&rig, 2, 4).await;
    let selector = "role=storage".parse().unwrap();
    let medians = pilotlight::service::medians::Medians::new(rig.roster.clone(), rig.boots.clone());
    assert_eq!(medians.of("n1", None, &selector).unwrap().boots, 0);
    assert_eq!(medians.of("n1", None, &"role=worker".parse().unwrap()).unwrap().boots, 1);
}

async fn a_client_finds_out_whether_the_api_is_another(rig: Rig) {
    let token = token(&rig, "v", Role::Viewer).await;
    let ask = |method: Method| {
        Request::builder()
            .method(method)
            .uri("/api/v1/openapi.json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
    };
    let router = secure(&rig);
    let (_, headers, text) = asked(&router, ask(Method::GET), Body::empty()).await;
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&text));
    assert_eq!(headers[header::ETAG], format!("\"{}\"", &digest[..16]));
    let (status, short, body) = asked(&router, ask(Method::HEAD), Body::empty()).await;
    assert_eq!(
        (status, short[header::ETAG].clone(), body.len()),
        (StatusCode::OK, headers[header::ETAG].clone(), 0)
    );
    let known = ask(Method::GET).header(header::IF_NONE_MATCH, headers[header::ETAG].clone());
    assert_eq!(asked(&router, known, Body::empty()).await.0, StatusCode::NOT_MODIFIED);
}
