//! How programs come by a token: what anybody may ask.
use super::PREFIX;
use crate::{
    http::{
        Peer,
        body::SentSecret,
        log::RequestId,
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::{callers::Callers, journal::Actor, oidc::Oidc},
};
use axum::{
    Extension, Json,
    extract::{ConnectInfo, State},
};
use pilotlight_types::api::{IssuedToken, PasswordSignIn, SignInWays, TokenExchange};

/// What these endpoints need.
#[derive(Debug, Clone)]
pub(super) struct SignInApi {
    pub(super) callers: Callers,
    pub(super) oidc: Oidc,
}

/// The one type of token that is exchanged (RFC 8693, section 3).
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

pub(super) fn routes() -> Routes<SignInApi> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/sign-in")
                .takes_right(Permission::Open)
                .called("getSignIn", "How people can sign in here")
                .answers::<SignInWays>(200, "the ways"),
            ways,
        )
        .on(
            Operation::post("/token")
                .takes_right(Permission::Open)
                .called("signIn", "A local user's name and password for a token that is good for 12 hours")
                .says("It says the same, and takes as long, whether there is such a user or not. Who fails often waits (429).")
                .takes::<PasswordSignIn>()
                .answers::<IssuedToken>(200, "the token, which is shown this once")
                .refuses(&[429]),
            password,
        )
        .on(
            Operation::post("/token/exchange")
                .takes_right(Permission::Open)
                .called("exchangeToken", "An issuer's ID token for a token of ours")
                .says(
                    "Of people for 12 hours, with the role that their groups give; of pipelines for an hour at the most, with what the \
                     rules of `oidc.exchange` give. The names are those of RFC 8693, as JSON.",
                )
                .takes::<TokenExchange>()
                .answers::<IssuedToken>(200, "the token, which is shown this once"),
            exchange,
        )
}

async fn ways(State(api): State<SignInApi>) -> Json<SignInWays> {
    Json(SignInWays { password: !api.callers.users.is_empty(), oidc: api.oidc.way() })
}

async fn password(
    State(SignInApi { callers, .. }): State<SignInApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Extension(RequestId(request)): Extension<RequestId>,
    SentSecret(PasswordSignIn { name, password }): SentSecret<PasswordSignIn>,
) -> Result<Json<IssuedToken>, Failure> {
    let from = from(peer, request);
    let person = callers.password(&name, password, &from).await?;
    Ok(Json(callers.issue(person, &from).await?))
}

async fn exchange(
    State(SignInApi { callers, oidc }): State<SignInApi>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Extension(RequestId(request)): Extension<RequestId>,
    SentSecret(TokenExchange { subject_token, subject_token_type }): SentSecret<TokenExchange>,
) -> Result<Json<IssuedToken>, Failure> {
    if subject_token_type.is_some_and(|kind| kind != ID_TOKEN) {
        let said = format!("`subject_token_type`: {ID_TOKEN} is what is taken here");
        return Err(Failure::invalid("subject_token_type", said));
    }
    let from = from(peer, request);
    let person = oidc.exchange(&subject_token, &from).await?;
    Ok(Json(callers.issue(person, &from).await?))
}

/// Somebody of whom only the address is known.
fn from(peer: Peer, request: String) -> Actor {
    Actor { remote: Some(peer.remote.ip()), ..Actor::named("nobody").asking(request) }
}
