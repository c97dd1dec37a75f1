//! Local users, and what whoever asks may know and change of themselves.
use super::PREFIX;
use crate::{
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Operation, Reach, Routes},
    },
    service::callers::{Callers, Credential, SignedIn},
};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use pilotlight_types::api::{List, Me, NewUser, PasswordChange, PasswordReset, Role, User, UserChange};
use serde::de::DeserializeOwned;

pub(super) fn routes() -> Routes<Callers> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/users", Role::Admin)
                .called("listUsers", "The local users: what each may do, and when they signed in last")
                .answers::<List<User>>(200, "the users, by name"),
            list,
        )
        .on(
            Operation::post("/users", Role::Admin)
                .called("createUser", "Makes a local user")
                .takes::<NewUser>()
                .answers::<User>(201, "the user")
                .refuses(&[409]),
            create,
        )
        .on(
            Operation::put("/users/{name}", Role::Admin)
                .called("putUser", "Changes what a user may do")
                .says("What they are signed in with is over.")
                .takes::<UserChange>()
                .answers::<User>(200, "the user"),
            change,
        )
        .on(
            Operation::delete("/users/{name}", Role::Admin)
                .called("deleteUser", "Deletes a user, with all that they are signed in with")
                .answers_nothing(204, "they are gone"),
            delete,
        )
        .on(
            Operation::put("/users/{name}/password", Role::Admin)
                .called("putUserPassword", "Gives a user another password")
                .says("What they are signed in with is over.")
                .takes::<PasswordReset>()
                .answers_nothing(204, "it is theirs now"),
            reset,
        )
        .on(
            Operation::get("/me", Role::Viewer)
                .called(
                    "whoAmI",
                    "Who asks: their name, what they may do, how they signed in, and until when",
                )
                .about(Reach::Each)
                .answers::<Me>(200, "who asks"),
            me,
        )
        .on(
            Operation::post("/me/password", Role::Viewer)
                .called("changePassword", "Gives whoever asks another password, if they are a local user")
                .says("What else they are signed in with is over.")
                .about(Reach::Each)
                .takes::<PasswordChange>()
                .answers_nothing(204, "it is theirs now")
                .refuses(&[429]),
            change_own,
        )
        .on(
            Operation::post("/me/sign-out", Role::Viewer)
                .called(
                    "signOut",
                    "Ends what this is asked with: a session, or a token that somebody got by signing in",
                )
                .says("A token that was made by hand stays: others may use it.")
                .about(Reach::Each)
                .answers_nothing(204, "it is over"),
            sign_out,
        )
}

/// What a body holds; a mistake in it does not repeat what it says, which may be a password.
pub(super) fn body<T: DeserializeOwned>(bytes: &Bytes, expected: &str) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("{expected} are expected (line {}, column {})", error.line(), error.column());
        if error.is_data() { Failure::invalid(place) } else { Failure::bad_request(place) }
    })
}

async fn list(State(callers): State<Callers>) -> Json<List<User>> {
    Json(List { items: callers.users.list(), next: None })
}

async fn create(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    bytes: Bytes,
) -> Result<(StatusCode, Json<User>), Failure> {
    let new: NewUser = body(&bytes, "`name`, `password` and `role`")?;
    Ok((StatusCode::CREATED, Json(callers.users.create(new, &actor).await?)))
}

async fn change(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<Json<User>, Failure> {
    let change: UserChange = body(&bytes, "`role`, `scope` and `disabled`")?;
    Ok(Json(callers.change(&name, change, &actor).await?))
}

async fn delete(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    callers.delete(&name, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn reset(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, Failure> {
    let PasswordReset { password } = body(&bytes, "`password`")?;
    callers.reset(&name, password, None, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn me(Extension(who): Extension<SignedIn>) -> Json<Me> {
    let SignedIn { bearer, how, until, by } = who;
    let session = matches!(by, Credential::Session(_));
    let scope = bearer.scope.words().clone();
    Json(Me { name: bearer.name, role: bearer.role, scope, how, session, until })
}

async fn change_own(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    Extension(who): Extension<SignedIn>,
    bytes: Bytes,
) -> Result<StatusCode, Failure> {
    let PasswordChange { old, new } = body(&bytes, "`old` and `new`")?;
    callers.change_own(&who, (old, new), &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sign_out(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    Extension(who): Extension<SignedIn>,
) -> Result<StatusCode, Failure> {
    callers.sign_out(&who, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
