//! Local users, and what whoever asks may know and change of themselves.
use super::PREFIX;
use crate::{
    http::{
        auth::Caller,
        body::{Sent, SentSecret},
        problem::Failure,
        routes::{Operation, Permission, Routes},
    },
    service::{
        callers::{Callers, Credential, SignedIn},
        users::UserError,
    },
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use pilotlight_types::{
    api::{List, Me, NewUser, PasswordChange, PasswordReset, User, UserChange},
    resource::{RuleKind, Verb},
};

const fn to(verb: Verb) -> Permission {
    Permission::On(verb, RuleKind::User)
}

pub(super) fn routes() -> Routes<Callers> {
    Routes::under(PREFIX)
        .on(
            Operation::get("/users")
                .takes_right(to(Verb::Get))
                .called("listUsers", "The local users: what each may do, and when they signed in last")
                .answers::<List<User>>(200, "the users, by name"),
            list,
        )
        .on(
            Operation::post("/users")
                .takes_right(to(Verb::Write))
                .called("createUser", "Makes a local user")
                .takes::<NewUser>()
                .answers::<User>(201, "the user")
                .refuses(&[409]),
            create,
        )
        .on(
            Operation::put("/users/{name}")
                .takes_right(to(Verb::Write))
                .called("putUser", "Changes what a user may do")
                .says("What they are signed in with is over.")
                .takes::<UserChange>()
                .answers::<User>(200, "the user"),
            change,
        )
        .on(
            Operation::delete("/users/{name}")
                .takes_right(to(Verb::Delete))
                .called("deleteUser", "Deletes a user, with all that they are signed in with")
                .answers_nothing(204, "they are gone"),
            delete,
        )
        .on(
            Operation::put("/users/{name}/password")
                .takes_right(to(Verb::Write))
                .called("putUserPassword", "Gives a user another password")
                .says("What they are signed in with is over.")
                .takes::<PasswordReset>()
                .answers_nothing(204, "it is theirs now"),
            reset,
        )
        .on(
            Operation::get("/me")
                .takes_right(Permission::Anybody)
                .called(
                    "whoAmI",
                    "Who asks: their name, what they may do, how they signed in, and until when",
                )
                .answers::<Me>(200, "who asks"),
            me,
        )
        .on(
            Operation::post("/me/password")
                .takes_right(Permission::Anybody)
                .called("changePassword", "Gives whoever asks another password, if they are a local user")
                .says("What else they are signed in with is over.")
                .takes::<PasswordChange>()
                .answers_nothing(204, "it is theirs now")
                .refuses(&[429]),
            change_own,
        )
        .on(
            Operation::post("/me/sign-out")
                .takes_right(Permission::Anybody)
                .called(
                    "signOut",
                    "Ends what this is asked with: a session, or a token that somebody got by signing in",
                )
                .says("A token that was made by hand stays: others may use it.")
                .answers_nothing(204, "it is over"),
            sign_out,
        )
}

async fn list(State(callers): State<Callers>) -> Json<List<User>> {
    Json(List { items: callers.users.list(), next: None })
}

async fn create(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    SentSecret(new): SentSecret<NewUser>,
) -> Result<(StatusCode, Json<User>), Failure> {
    Ok((StatusCode::CREATED, Json(callers.create(new, &actor).await?)))
}

async fn change(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Sent(change): Sent<UserChange>,
) -> Result<Json<User>, Failure> {
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
    SentSecret(PasswordReset { password }): SentSecret<PasswordReset>,
) -> Result<StatusCode, Failure> {
    callers.reset(&name, password, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn me(Extension(who): Extension<SignedIn>) -> Json<Me> {
    let SignedIn { bearer, how, until, by } = who;
    let session = matches!(by, Credential::Session(_));
    let (role, scope) = (bearer.rights.role().clone(), bearer.rights.scope().words().clone());
    Json(Me { name: bearer.name, role, scope, how, session, until })
}

async fn change_own(
    State(callers): State<Callers>,
    Caller(actor): Caller,
    Extension(who): Extension<SignedIn>,
    SentSecret(PasswordChange { old, new }): SentSecret<PasswordChange>,
) -> Result<StatusCode, Failure> {
    callers.change_own(&who, (old, new), &actor).await.map_err(|error| match error {
        UserError::Password(why) => Failure::invalid("new", why.to_string()),
        other => other.into(),
    })?;
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
