//! ID tokens for tokens of ours, over HTTP: an issuer that runs, and everything that a token can be wrong in.
use crate::{
    http::{asked, secure},
    rig::{Engine, Rig, http_client},
};
use axum::{
    Json, Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use pilotlight::{
    secret::{
        SiteKey,
        oidc::{ExchangeRule, OidcAccess},
    },
    service::oidc::Oidc,
};
use pilotlight_types::{
    api::{IssuedToken, Me, Problem, Role, Scope, SignInWays},
    resource::{Kind, RuleKind},
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// An issuer on this host, with keys that can be changed.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<(String, Ed25519KeyPair)>>>,
    fetched: Arc<AtomicUsize>,
    serving: JoinSet<()>,
}

fn pair() -> Ed25519KeyPair {
    let made = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()
}

impl Issuer {
    async fn start() -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(vec![("one".to_owned(), pair())]));
        let fetched = Arc::new(AtomicUsize::new(0));
        let published = json!({"issuer": url, "jwks_uri": format!("{url}/keys"),
            "authorization_endpoint": format!("{url}/auth"), "token_endpoint": format!("{url}/token")});
        let (shown, count) = (keys.clone(), fetched.clone());
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(move || async move { Json(published) }))
            .route(
                "/keys",
                get(move || async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    let jwk = |(kid, pair): &(String, Ed25519KeyPair)| {
                        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig",
                            "x": BASE64.encode(pair.public_key().as_ref())})
                    };
                    Json(json!({"keys": shown.lock().unwrap().iter().map(jwk).collect::<Vec<_>>()}))
                }),
            );
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(socket, router).await.unwrap() });
        Self { url, keys, fetched, serving }
    }

    /// A token with these claims beside the usual ones.
    fn token(&self, rig: &Rig, claims: &Value) -> String {
        let now = rig.journal.now().micros() / 1_000_000;
        let mut all =
            json!({"iss": self.url, "iat": now, "exp": now + 300, "sub": "project_path:infra/site:ref:main"});
        for (claim, value) in claims.as_object().unwrap() {
            all[claim] = value.clone();
        }
        let keys = self.keys.lock().unwrap();
        let (kid, pair) = keys.last().unwrap();
        signed(&json!({"alg": "EdDSA", "kid": kid, "typ": "JWT"}), &all, pair)
    }
}

fn signed(header: &Value, claims: &Value, pair: &Ed25519KeyPair) -> String {
    let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let signature = BASE64.encode(pair.sign(text.as_bytes()).as_ref());
    format!("{text}.{signature}")
}

fn people(issuer: &str) -> OidcAccess {
    OidcAccess {
        issuer: issuer.into(),
        client_id: "pilotlight".into(),
        client_secret: None,
        cli_client_id: "pilotlight-cli".into(),
        scopes: vec!["openid".into()],
        groups_claim: "groups".into(),
        name_claim: "preferred_username".into(),
        roles: [("ops".to_owned(), Role::Operator), ("core".to_owned(), Role::Editor)].into(),
        audiences: Vec::new(),
        url: None,
        ca: None,
    }
}

fn rule(issuer: &str, claims: &[(&str, &str)], role: Role) -> ExchangeRule {
    ExchangeRule {
        issuer: issuer.into(),
        audience: "https://p.example".into(),
        claims: claims.iter().map(|(claim, pattern)| ((*claim).into(), (*pattern).into())).collect(),
        role,
        scope: Scope {
            kinds: vec![RuleKind::Resource(Kind::Profile)],
            selector: "site=dc1".into(),
            ..Scope::default()
        },
        lifetime: Duration::from_secs(900),
        ca: None,
    }
}

fn believe(rig: &mut Rig, people: Option<OidcAccess>, rules: Vec<ExchangeRule>) {
    let client = |_: Option<&Path>| Ok::<_, std::convert::Infallible>(http_client());
    rig.oidc = Oidc::new((people, rules), client, None, SiteKey::new([7; 32]), rig.journal.clone()).unwrap();
}

async fn exchange(router: &Router, token: &str) -> Result<IssuedToken, Problem> {
    let request = Request::builder().method(Method::POST).uri("/api/v1/token/exchange");
    let body = json!({"subject_token": token}).to_string();
    let (status, _, body) = asked(router, request, Body::from(body)).await;
    if status == StatusCode::OK {
        return Ok(serde_json::from_slice(&body).unwrap());
    }
    Err(serde_json::from_slice(&body).unwrap())
}

async fn refused(router: &Router, token: &str) -> (u16, String) {
    let problem = exchange(router, token).await.expect_err("it is refused");
    (problem.status, problem.detail)
}

#[tokio::test]
async fn a_pipeline_gets_what_its_rule_gives_and_no_more() {
    let mut rig = Rig::new(Engine::Sqlite).await;
    let issuer = Issuer::start().await;
    let main = [("project_path", "infra/*"), ("ref", "main"), ("ref_protected", "true")];
    let rules = vec![
        rule(&issuer.url, &main, Role::Editor),
        rule(&issuer.url, &[("project_path", "infra/*")], Role::Viewer),
    ];
    believe(&mut rig, None, rules);
    let router = secure(&rig);
    let claims = |git: &str, protected: &str| json!({"aud": "https://p.example", "project_path": "infra/site", "ref": git, "ref_protected": protected});
    let issued = exchange(&router, &issuer.token(&rig, &claims("main", "true"))).await.unwrap();
    assert_eq!((issued.role, issued.expires_in, issued.token_type.as_str()), (Role::Editor, 900, "Bearer"));
    assert_eq!(issued.holder, "ci:project_path:infra/site:ref:main");
    assert_eq!(issued.scope.selector, "site=dc1");
    let branch = exchange(&router, &issuer.token(&rig, &claims("feature", "false"))).await.unwrap();
    assert_eq!(branch.role, Role::Viewer, "the next rule");
    let me = async |token: &str| {
        let request =
            Request::builder().uri("/api/v1/me").header(header::AUTHORIZATION, format!("Bearer {token}"));
        let (status, _, body) = asked(&router, request, Body::empty()).await;
        (status, serde_json::from_slice::<Me>(&body).ok())
    };
    let (_, known) = me(&issued.access_token).await;
    assert_eq!(known.unwrap().name, "ci:project_path:infra/site:ref:main");
    assert!(rig.access.list().iter().any(|token| token.name == issued.name));
    rig.advance(900);
    assert_eq!(me(&issued.access_token).await.0, StatusCode::UNAUTHORIZED);

    let other = json!({"aud": "https://p.example", "project_path": "evil/site", "ref": "main", "ref_protected": "true"});
    let (status, said) = refused(&router, &issuer.token(&rig, &other)).await;
    assert_eq!(status, 403);
    assert!(said.contains("its claims are not what a rule asks for"), "{said}");
    let mut elsewhere = claims("main", "true");
    elsewhere["aud"] = json!("https://vault.example");
    let (status, said) = refused(&router, &issuer.token(&rig, &elsewhere)).await;
    assert!(status == 403 && said.contains("it is for https://vault.example"), "{status} {said}");
    assert!(rig.kinds().await.iter().any(|kind| kind == "session.refused"));
}

#[tokio::test]
async fn what_an_issuer_did_not_sign_for_us_and_now_is_refused() {
    let mut rig = Rig::new(Engine::Sqlite).await;
    let (issuer, stranger) = (Issuer::start().await, Issuer::start().await);
    believe(&mut rig, None, vec![rule(&issuer.url, &[("project_path", "infra/site")], Role::Admin)]);
    let router = secure(&rig);
    let good = json!({"aud": "https://p.example", "project_path": "infra/site"});
    let with = |changes: Value| {
        let mut claims = good.clone();
        for (claim, value) in changes.as_object().unwrap() {
            claims[claim] = value.clone();
        }
        issuer.token(&rig, &claims)
    };
    assert!(exchange(&router, &with(json!({}))).await.is_ok());
    let now = rig.journal.now().micros() / 1_000_000;
    for (changes, words) in [
        (json!({"exp": now - 60}), "ended 60 s ago"),
        (json!({"exp": null}), "`exp`"),
        (json!({"nbf": now + 120}), "begins in 120 s"),
        (json!({"aud": ["https://p.example", "https://other.example"]}), "it is for"),
        (json!({"iss": format!("{}/", issuer.url)}), "has no issuer"),
        (json!({"iss": null}), "`iss`"),
    ] {
        let (status, said) = refused(&router, &with(changes.clone())).await;
        assert!([401, 403].contains(&status) && said.contains(words), "{changes}: {status} {said}");
    }
    let mut claims = good.as_object().unwrap().clone();
    claims.extend([
        ("iss".into(), json!(issuer.url)),
        ("iat".into(), json!(now)),
        ("exp".into(), json!(now + 60)),
        ("sub".into(), json!("x")),
    ]);
    let claims = Value::Object(claims);
    for (header, words) in [
        (json!({"alg": "none"}), "signed by `none`"),
        (json!({"alg": "HS256", "kid": "one"}), "signed by `HS256`"),
        (json!({"alg": "EdDSA", "kid": "one"}), "signature"),
        (json!({"alg": "EdDSA", "kid": "two"}), "no key `two`"),
        (json!({"alg": "RS256", "kid": "one"}), "no key `one`"),
    ] {
        let (status, said) = refused(&router, &signed(&header, &claims, &pair())).await;
        assert!(status == 401 && said.contains(words), "{header}: {status} {said}");
    }
    let (status, said) = refused(&router, &stranger.token(&rig, &good)).await;
    assert!(status == 401 && said.contains("has no issuer"), "{said}");
    assert_eq!(stranger.fetched.load(Ordering::SeqCst), 0, "who is not believed is not asked either");
    for rubbish in ["", "a.b.c", "x"] {
        assert_eq!(refused(&router, rubbish).await.0, 401, "{rubbish}");
    }
    assert_eq!(rig.access.list().len(), 1, "the good one's");
}

#[tokio::test]
async fn a_new_key_is_fetched_and_made_up_ones_are_not_fetched_for() {
    let mut rig = Rig::new(Engine::Sqlite).await;
    let mut issuer = Issuer::start().await;
    believe(&mut rig, None, vec![rule(&issuer.url, &[("project_path", "a")], Role::Viewer)]);
    let router = secure(&rig);
    let claims = json!({"aud": "https://p.example", "project_path": "a"});
    exchange(&router, &issuer.token(&rig, &claims)).await.unwrap();
    assert_eq!(issuer.fetched.load(Ordering::SeqCst), 1);
    let made_up = signed(&json!({"alg": "EdDSA", "kid": "made-up"}), &json!({"iss": issuer.url}), &pair());
    for _ in 0..5 {
        assert_eq!(refused(&router, &made_up).await.0, 401);
    }
    assert_eq!(issuer.fetched.load(Ordering::SeqCst), 1, "it was asked less than 30 seconds ago");
    // While it is away, what is known goes on being good.
    issuer.serving.shutdown().await;
    exchange(&router, &issuer.token(&rig, &claims)).await.unwrap();
    believe(&mut rig, None, vec![rule(&issuer.url, &[("project_path", "a")], Role::Viewer)]);
    let router = secure(&rig);
    let (status, said) = refused(&router, &issuer.token(&rig, &claims)).await;
    assert!(status == 503 && said.contains("cannot be asked"), "{status} {said}");
}

#[tokio::test]
async fn a_person_has_the_highest_role_of_their_groups() {
    let mut rig = Rig::new(Engine::Sqlite).await;
    let issuer = Issuer::start().await;
    believe(&mut rig, Some(people(&issuer.url)), Vec::new());
    let router = secure(&rig);
    let claims = json!({"aud": "pilotlight-cli", "sub": "7", "preferred_username": "alice", "groups": ["ops", "core", "x"]});
    let issued = exchange(&router, &issuer.token(&rig, &claims)).await.unwrap();
    assert_eq!(
        (issued.holder.as_str(), issued.role, issued.expires_in),
        ("oidc:alice", Role::Editor, 43_200)
    );
    let nobody = json!({"aud": "pilotlight-cli", "preferred_username": "bob", "groups": ["guests", "staff"]});
    let (status, said) = refused(&router, &issuer.token(&rig, &nobody)).await;
    assert!(status == 403 && said.contains("guests, staff"), "{status} {said}");
    let other = json!({"aud": "grafana", "preferred_username": "alice", "groups": ["core"]});
    assert_eq!(refused(&router, &issuer.token(&rig, &other)).await.0, 401, "another client's token");
    let request = Request::builder().uri("/api/v1/sign-in");
    let (_, _, body) = asked(&router, request, Body::empty()).await;
    let ways: SignInWays = serde_json::from_slice(&body).unwrap();
    assert_eq!(ways.oidc.unwrap().client_id, "pilotlight-cli");
}

#[tokio::test]
async fn a_browser_is_led_to_the_issuer_and_comes_back_as_it_left() {
    let mut rig = Rig::new(Engine::Sqlite).await;
    let issuer = Issuer::start().await;
    believe(&mut rig, Some(people(&issuer.url)), Vec::new());
    let router = secure(&rig);
    let get = async |path: &str, cookie: &str| {
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, "p.example:8443")
            .header(header::COOKIE, cookie);
        asked(&router, request, Body::empty()).await
    };
    let (status, headers, _) = get("/sign-in/oidc?next=/status%3Fx", "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let to = reqwest::Url::parse(headers[header::LOCATION].to_str().unwrap()).unwrap();
    let asked_for: std::collections::HashMap<_, _> = to.query_pairs().into_owned().collect();
    assert!(to.as_str().starts_with(&format!("{}/auth?", issuer.url)));
    assert_eq!(asked_for["redirect_uri"], "https://p.example:8443/sign-in/oidc/callback");
    assert_eq!(
        (asked_for["code_challenge_method"].as_str(), asked_for["response_type"].as_str()),
        ("S256", "code")
    );
    let cookie = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let state = &asked_for["state"];
    let (_, headers, _) = get("/sign-in/oidc", "").await;
    let another = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    for (cookie, state) in [
        ("", state.as_str()),
        (&another, state),
        (&cookie, "rubbish"),
        ("__Host-pilotlight-oidc=1.2.3", state),
    ] {
        let (status, headers, body) =
            get(&format!("/sign-in/oidc/callback?code=c&state={state}"), cookie).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(String::from_utf8(body).unwrap().contains("begun elsewhere"));
        assert!(headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    }
    let refused = "/sign-in/oidc/callback?error=access_denied&error_description=%3Cscript%3Eno";
    let (status, _, body) = get(refused, &cookie).await;
    let page = String::from_utf8(body).unwrap();
    assert!(status == StatusCode::FORBIDDEN && page.contains("access_denied: &lt;script&gt;no"), "{page}");
    rig.advance(600);
    let (status, ..) = get(&format!("/sign-in/oidc/callback?code=c&state={state}"), &cookie).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "ten minutes are over");
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_fill_the_database() {
    let mut rig = Rig::new(Engine::Sqlite).await;
    believe(&mut rig, None, vec![rule("https://gitlab.example", &[], Role::Viewer)]);
    let router = secure(&rig);
    for _ in 0..200 {
        refused(&router, "no.id.token").await;
    }
    rig.written().await;
    assert_eq!(rig.audited("session/oidc").await, 60);
    rig.advance(60);
    refused(&router, "no.id.token").await;
    rig.written().await;
    let told = rig.events().await.into_iter().filter(|event| event.kind == "session.refused");
    let last = told.max_by_key(|event| event.seq).unwrap().message;
    assert!(last.ends_with("(and 140 before it that are not told)"), "{last}");
}
