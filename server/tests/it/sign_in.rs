//! People, over HTTP: passwords, sessions, and what a browser may be made to do.
mod races;

use crate::{
    http::{asked, secure, token},
    rig::{Engine, Rig, on_both, operator},
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use pilotlight_types::api::{How, IssuedToken, Me, NewUser, Problem, Role, Scope, Token};
use serde_json::{Value, json};

pub const PASSWORD: &str = "a long sentence of hers";

/// A local user with that password.
pub async fn user(rig: &Rig, name: &str, role: Role) {
    let new = NewUser { name: name.into(), password: PASSWORD.into(), role, scope: Scope::default() };
    rig.callers.users.create(new, &operator()).await.unwrap();
}

type Answer = (StatusCode, HeaderMap, Vec<u8>);

async fn send(router: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "p.example:8443");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    asked(router, request, Body::from(body.to_owned())).await
}

const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

fn form(name: &str, password: &str, next: &str) -> String {
    let escaped = |text: &str| text.replace(' ', "+").replace('/', "%2F");
    format!("name={name}&password={}&next={}", escaped(password), escaped(next))
}

/// Signs in as a browser; gives what it sends as its cookie from then on.
async fn browser(router: &Router, name: &str, password: &str) -> String {
    let body = form(name, password, "/status");
    let (status, headers, _) = send(router, Method::POST, "/sign-in", &[SAME], &body).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    cookie(&headers)
}

fn cookie(headers: &HeaderMap) -> String {
    let set = headers[header::SET_COOKIE].to_str().unwrap();
    let rest = set.strip_prefix("__Host-pilotlight=").unwrap();
    let (value, flags) = rest.split_once("; ").unwrap();
    assert_eq!(flags, "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200");
    format!("__Host-pilotlight={value}")
}

async fn me(router: &Router, header: (&str, &str)) -> Result<Me, StatusCode> {
    let (status, _, body) = send(router, Method::GET, "/api/v1/me", &[header], "").await;
    if status.is_success() { Ok(serde_json::from_slice(&body).unwrap()) } else { Err(status) }
}

fn problem(answer: &Answer) -> Problem {
    serde_json::from_slice(&answer.2).unwrap()
}

on_both!(
    a_browser_signs_in_and_out,
    a_session_outlives_the_daemon_and_ends_when_it_is_not_used,
    what_a_user_is_signed_in_with_ends_with_what_they_may,
    a_password_is_got_a_token_for,
);

async fn a_browser_signs_in_and_out(rig: Rig) {
    user(&rig, "alice", Role::Operator).await;
    let router = secure(&rig);
    let html = ("accept", "text/html,*/*;q=0.8");
    let (status, headers, _) = send(&router, Method::GET, "/status?x=1", &[html], "").await;
    let led = (status, headers[header::LOCATION].to_str().unwrap());
    assert_eq!(led, (StatusCode::SEE_OTHER, "/sign-in?next=/status%3Fx%3D1"));
    for (path, accept) in [("/api/v1/machines", html), ("/status", ("accept", "*/*"))] {
        let (status, headers, _) = send(&router, Method::GET, path, &[accept], "").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer realm=\"pilotlight\"");
    }
    let (status, headers, page) = send(&router, Method::GET, "/sign-in?next=/status", &[html], "").await;
    let page = String::from_utf8(page).unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("name=\"password\"") && !page.contains("<script"), "{page}");
    assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");

    let cookie = browser(&router, "alice", PASSWORD).await;
    let known = me(&router, ("cookie", &cookie)).await.unwrap();
    assert_eq!(
        (known.name.as_str(), known.role, known.how, known.session),
        ("user:alice", Role::Operator, How::Password, true)
    );
    let (status, _, page) = send(&router, Method::GET, "/status", &[("cookie", &cookie), html], "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8(page).unwrap().contains("user:alice"));
    let rows = rig.db.read().await.unwrap().sessions().await.unwrap();
    assert!(!format!("{rows:?}").contains(cookie.split_once('=').unwrap().1), "only its hash is kept");

    let (status, headers, _) =
        send(&router, Method::POST, "/sign-out", &[("cookie", &cookie), SAME], "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(me(&router, ("cookie", &cookie)).await, Err(StatusCode::UNAUTHORIZED), "at once");
    let kinds = rig.kinds().await;
    for kind in ["user.created", "session.started", "session.ended"] {
        assert!(kinds.iter().any(|seen| seen == kind), "{kind}: {kinds:?}");
    }
    assert_eq!(rig.audited("session/user:alice").await, 2);
    let signed_in = rig.callers.users.list()[0].signed_in;
    assert_eq!(signed_in, Some(rig.journal.now()));
}

async fn a_session_outlives_the_daemon_and_ends_when_it_is_not_used(rig: Rig) {
    user(&rig, "alice", Role::Viewer).await;
    let cookie = browser(&secure(&rig), "alice", PASSWORD).await;
    rig.written().await;
    let rig = rig.restarted().await;
    let router = secure(&rig);
    let header = ("cookie", cookie.as_str());
    for _ in 0..5 {
        rig.advance(2 * 3600 - 1);
        assert!(me(&router, header).await.is_ok(), "it is used");
    }
    rig.advance(2 * 3600 - 1);
    assert!(me(&router, header).await.is_ok(), "six seconds are left");
    rig.advance(6);
    assert_eq!(me(&router, header).await, Err(StatusCode::UNAUTHORIZED), "twelve hours are the most");
    let cookie = browser(&router, "alice", PASSWORD).await;
    rig.advance(2 * 3600);
    assert_eq!(me(&router, ("cookie", &cookie)).await, Err(StatusCode::UNAUTHORIZED), "two hours unused");
    browser(&router, "alice", PASSWORD).await;
    rig.written().await;
    assert_eq!(rig.db.read().await.unwrap().sessions().await.unwrap().len(), 1, "what is over is not kept");
}

async fn what_a_user_is_signed_in_with_ends_with_what_they_may(rig: Rig) {
    user(&rig, "alice", Role::Editor).await;
    let admin = format!("Bearer {}", token(&rig, "root", Role::Admin).await);
    let router = secure(&rig);
    let as_admin = ("authorization", admin.as_str());
    let sign_in = json!({"name": "alice", "password": PASSWORD}).to_string();
    let issued = async || {
        let (status, _, body) = send(&router, Method::POST, "/api/v1/token", &[], &sign_in).await;
        assert_eq!(status, StatusCode::OK);
        format!("Bearer {}", serde_json::from_slice::<IssuedToken>(&body).unwrap().access_token)
    };
    for (method, path, body) in [
        (Method::PUT, "/api/v1/users/alice", json!({"role": "viewer"})),
        (Method::PUT, "/api/v1/users/alice/password", json!({"password": PASSWORD})),
        (Method::PUT, "/api/v1/users/alice", json!({"role": "viewer", "disabled": true})),
        (Method::PUT, "/api/v1/users/alice", json!({"role": "viewer", "disabled": false})),
        (Method::DELETE, "/api/v1/users/alice", Value::Null),
    ] {
        if body["disabled"] == false {
            let (status, ..) = send(&router, Method::POST, "/api/v1/token", &[], &sign_in).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "who is disabled does not sign in");
            let (status, ..) = send(&router, method, path, &[as_admin], &body.to_string()).await;
            assert_eq!(status, StatusCode::OK);
            continue;
        }
        let (cookie, token) = (browser(&router, "alice", PASSWORD).await, issued().await);
        assert!(me(&router, ("cookie", &cookie)).await.is_ok());
        assert!(me(&router, ("authorization", &token)).await.is_ok());
        let (status, ..) = send(&router, method, path, &[as_admin], &body.to_string()).await;
        assert!(status.is_success(), "{path}: {status}");
        assert_eq!(me(&router, ("cookie", &cookie)).await, Err(StatusCode::UNAUTHORIZED), "{path} {body}");
        assert_eq!(
            me(&router, ("authorization", &token)).await,
            Err(StatusCode::UNAUTHORIZED),
            "{path} {body}"
        );
    }
    let rig = rig.restarted().await;
    assert!(rig.callers.users.list().is_empty());
    assert!(rig.access.list().iter().all(|token| token.holder.is_none()), "nor are their tokens there");
}

async fn a_password_is_got_a_token_for(rig: Rig) {
    user(&rig, "alice", Role::Editor).await;
    let router = secure(&rig);
    let sign_in = json!({"name": "alice", "password": PASSWORD}).to_string();
    let (status, _, body) = send(&router, Method::POST, "/api/v1/token", &[], &sign_in).await;
    assert_eq!(status, StatusCode::OK);
    let issued: IssuedToken = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (issued.holder.as_str(), issued.role, issued.expires_in),
        ("user:alice", Role::Editor, 43_200)
    );
    let bearer = format!("Bearer {}", issued.access_token);
    let known = me(&router, ("authorization", &bearer)).await.unwrap();
    assert_eq!((known.name.as_str(), known.how, known.session), ("user:alice", How::Password, false));
    let listed: Vec<Token> = rig.access.list();
    assert_eq!(
        (listed[0].name.as_str(), listed[0].holder.as_deref()),
        (issued.name.as_str(), Some("user:alice"))
    );
    let put = json!({"spec": {"butane": "variant: fcos\nversion: 1.5.0\n"}}).to_string();
    let profile = "/api/v1/profiles/base";
    let (status, _, body) = send(&router, Method::PUT, profile, &[("authorization", &bearer)], &put).await;
    assert!(
        status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        String::from_utf8_lossy(&body)
    );
    rig.advance(43_200);
    assert_eq!(me(&router, ("authorization", &bearer)).await, Err(StatusCode::UNAUTHORIZED));
    let (_, _, body) = send(&router, Method::POST, "/api/v1/token", &[], &sign_in).await;
    let issued: IssuedToken = serde_json::from_slice(&body).unwrap();
    assert_eq!(rig.access.list().len(), 1, "the one that is over is gone");
    let bearer = format!("Bearer {}", issued.access_token);
    let (status, ..) =
        send(&router, Method::POST, "/api/v1/me/sign-out", &[("authorization", &bearer)], "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(me(&router, ("authorization", &bearer)).await, Err(StatusCode::UNAUTHORIZED));
}

#[tokio::test]
async fn another_sites_page_can_do_nothing_with_the_cookie() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    user(&rig, "alice", Role::Admin).await;
    let router = secure(&rig);
    let cookie = browser(&router, "alice", PASSWORD).await;
    let hold = json!({"reason": "evil"}).to_string();
    let ours = ("origin", "https://p.example:8443");
    for (headers, allowed) in [
        (vec![SAME], true),
        (vec![ours], true),
        (vec![("sec-fetch-site", "same-site")], false),
        (vec![("sec-fetch-site", "cross-site"), ours], false),
        (vec![("origin", "https://evil.example")], false),
        (vec![], false),
    ] {
        let mut all = vec![("cookie", cookie.as_str()), ("content-type", "text/plain")];
        all.extend(&headers);
        let answer = send(&router, Method::POST, "/api/v1/machines/n1/hold", &all, &hold).await;
        assert_eq!(answer.0.is_success(), allowed, "{headers:?}: {}", answer.0);
        if !allowed {
            assert_eq!((answer.0, problem(&answer).code.as_str()), (StatusCode::FORBIDDEN, "cross-site"));
            let answer = send(&router, Method::POST, "/sign-out", &all, "").await;
            assert_eq!(answer.0, StatusCode::FORBIDDEN);
        }
    }
    assert!(me(&router, ("cookie", &cookie)).await.is_ok(), "nobody signed her out");
    let evil = [("sec-fetch-site", "cross-site")];
    let answer = send(&router, Method::POST, "/sign-in", &evil, &form("mallory", PASSWORD, "/")).await;
    assert_eq!(answer.0, StatusCode::FORBIDDEN, "nor is anybody signed in as somebody else");
}

#[tokio::test]
async fn who_guesses_waits_and_learns_nothing() {
    let rig = Rig::new(Engine::Sqlite).await;
    user(&rig, "alice", Role::Admin).await;
    let router = secure(&rig);
    let guess = async |name: &str| {
        let body = json!({"name": name, "password": "wrong and long enough"}).to_string();
        send(&router, Method::POST, "/api/v1/token", &[], &body).await
    };
    for name in ["alice", "nobody"] {
        let mut seen = Vec::new();
        for _ in 0..5 {
            let answer = guess(name).await;
            seen.push((answer.0.as_u16(), problem(&answer).detail));
        }
        let wrong = "the name or the password is wrong".to_owned();
        assert_eq!(seen[0], (401, wrong.clone()), "{name}");
        assert_eq!(seen[2], (401, wrong), "{name}");
        assert_eq!(seen[3], (429, "too many attempts failed: try again in 1 s".to_owned()), "{name}");
    }
    let body = json!({"name": "alice", "password": PASSWORD}).to_string();
    let answer = send(&router, Method::POST, "/api/v1/token", &[], &body).await;
    assert_eq!(answer.0, StatusCode::TOO_MANY_REQUESTS, "the right one waits too");
    rig.advance(1);
    let answer = send(&router, Method::POST, "/api/v1/token", &[], &body).await;
    assert_eq!(answer.0, StatusCode::OK);
    let refused: Vec<_> =
        rig.events().await.into_iter().filter(|event| event.kind == "session.refused").collect();
    assert_eq!(refused.len(), 6, "three each: a guess that was not looked at is none");
    assert!(refused.iter().all(|event| event.message.contains("from 10.77.0.100")), "{refused:?}");
    assert!(!format!("{refused:?}").contains("nobody was"), "a name that nobody has is not repeated");
    assert_eq!(rig.audited("user/alice").await, 1 + 3);
}

#[tokio::test]
async fn ten_at_once_are_ten() {
    let rig = Rig::new(Engine::Sqlite).await;
    user(&rig, "alice", Role::Admin).await;
    let router = secure(&rig);
    let body = json!({"name": "alice", "password": "wrong and long enough"}).to_string();
    let all = (0..10).map(|_| send(&router, Method::POST, "/api/v1/token", &[], &body));
    let all = futures_util::future::join_all(all).await;
    let looked_at = all.iter().filter(|answer| answer.0 == StatusCode::UNAUTHORIZED).count();
    assert_eq!(looked_at, 3, "the others waited, though none had failed yet when they began");
}

#[tokio::test]
async fn who_changes_their_password_knows_the_old_one() {
    let rig = Rig::new(Engine::Sqlite).await;
    user(&rig, "alice", Role::Viewer).await;
    let router = secure(&rig);
    let (here, there) =
        (browser(&router, "alice", PASSWORD).await, browser(&router, "alice", PASSWORD).await);
    let change = async |old: &str, new: &str| {
        let body = json!({"old": old, "new": new}).to_string();
        send(&router, Method::POST, "/api/v1/me/password", &[("cookie", &here), SAME], &body).await
    };
    let answer = change("another sentence", "the next sentence").await;
    assert_eq!(
        (answer.0, problem(&answer).detail.as_str()),
        (StatusCode::UNAUTHORIZED, "the name or the password is wrong")
    );
    let answer = change(PASSWORD, "short").await;
    assert_eq!(answer.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem(&answer).detail.contains("12 characters"));
    assert_eq!(problem(&answer).errors[0].path, "new");
    assert_eq!(change(PASSWORD, "the next sentence").await.0, StatusCode::NO_CONTENT);
    assert!(me(&router, ("cookie", &here)).await.is_ok());
    assert_eq!(me(&router, ("cookie", &there)).await, Err(StatusCode::UNAUTHORIZED));
    browser(&router, "alice", "the next sentence").await;
    let (status, ..) = send(&router, Method::POST, "/sign-in", &[SAME], &form("alice", PASSWORD, "/")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let own = format!("Bearer {}", token(&rig, "ci", Role::Admin).await);
    let body = json!({"old": PASSWORD, "new": PASSWORD}).to_string();
    let answer = send(&router, Method::POST, "/api/v1/me/password", &[("authorization", &own)], &body).await;
    assert_eq!(answer.0, StatusCode::FORBIDDEN, "a token has none");
}

#[tokio::test]
async fn a_token_is_the_first_way_in_and_its_session_ends_with_it() {
    let rig = Rig::new(Engine::Sqlite).await;
    let first = token(&rig, "admin", Role::Admin).await;
    let other = token(&rig, "other", Role::Admin).await;
    let router = secure(&rig);
    let (_, _, page) = send(&router, Method::GET, "/sign-in", &[], "").await;
    assert!(String::from_utf8(page).unwrap().contains("admin.token"), "there are no users yet");
    let body = format!("token={first}&next=%2F%2Fevil.example");
    let (status, headers, _) = send(&router, Method::POST, "/sign-in", &[SAME], &body).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/status"));
    let cookie = cookie(&headers);
    assert_eq!(me(&router, ("cookie", &cookie)).await.unwrap().name, "admin");
    rig.access.revoke("admin", &operator()).await.unwrap();
    assert_eq!(me(&router, ("cookie", &cookie)).await, Err(StatusCode::UNAUTHORIZED));
    let (status, headers, page) =
        send(&router, Method::POST, "/sign-in", &[SAME], &format!("token={other}x")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        headers[header::CONTENT_TYPE],
        "text/html; charset=utf-8",
        "a page, and no document for programs"
    );
    assert!(String::from_utf8(page).unwrap().contains("<p class=\"refused\" role=\"alert\">"));
}

#[tokio::test]
async fn what_is_sent_wrong_is_told_and_not_repeated() {
    let rig = Rig::new(Engine::Sqlite).await;
    let admin = format!("Bearer {}", token(&rig, "root", Role::Admin).await);
    let router = secure(&rig);
    for (path, body, status, says) in [
        (
            "/api/v1/users",
            json!({"name": "a b", "password": PASSWORD, "role": "viewer"}),
            422,
            "a user's name",
        ),
        (
            "/api/v1/users",
            json!({"name": "alice", "password": "hunter2", "role": "viewer"}),
            422,
            "12 characters",
        ),
        (
            "/api/v1/users",
            json!({"name": "alice", "password": PASSWORD, "role": "king"}),
            422,
            "there is no role king",
        ),
        (
            "/api/v1/users",
            json!({"name": "alice", "password": PASSWORD, "role": "viewer", "scope": {"selector": "a b"}}),
            422,
            "selector",
        ),
        ("/api/v1/users", json!("hunter2"), 422, "expected struct NewUser"),
        ("/api/v1/token", json!({"name": "alice", "passwort": "hunter2"}), 422, "unknown field `passwort`"),
    ] {
        let answer = send(&router, Method::POST, path, &[("authorization", &admin)], &body.to_string()).await;
        let problem = problem(&answer);
        assert_eq!(answer.0.as_u16(), status, "{path} {body}: {problem:?}");
        assert!(problem.detail.contains(says), "{path} {body}: {}", problem.detail);
        let said = String::from_utf8_lossy(&answer.2).into_owned();
        assert!(!said.contains("hunter2") && !said.contains(PASSWORD), "{said}");
    }
    let big = format!("name=alice&password={}", "x".repeat(10_000));
    let (status, ..) = send(&router, Method::POST, "/sign-in", &[SAME], &big).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    user(&rig, "alice", Role::Viewer).await;
    let again = json!({"name": "alice", "password": PASSWORD, "role": "viewer"}).to_string();
    let answer = send(&router, Method::POST, "/api/v1/users", &[("authorization", &admin)], &again).await;
    assert_eq!(answer.0, StatusCode::CONFLICT);
    let (status, _, body) =
        send(&router, Method::GET, "/api/v1/users", &[("authorization", &admin)], "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!String::from_utf8(body).unwrap().contains("argon2"), "nobody is told a hash");
}
