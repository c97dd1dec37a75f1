//! Local users and browsers that are signed in: of passwords and cookies only hashes are here.
use super::{StoreError, Tx, codec, db::on};
use pilotlight_types::{
    Timestamp,
    api::{How, Role, Scope},
};

/// A local user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The name that they sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Which objects that is good for.
    pub scope: Scope,
    /// The hash of the password, a PHC string.
    pub hash: String,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// When the user was made.
    pub created: Timestamp,
    /// When they signed in last.
    pub signed_in: Option<Timestamp>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The hash of its cookie.
    pub hash: String,
    /// Who it speaks for: `user:alice`, `oidc:alice`, or a token's name.
    pub holder: String,
    /// How they proved who they are.
    pub how: How,
    /// What they might do when they signed in.
    pub role: Role,
    /// Which objects that is good for.
    pub scope: Scope,
    /// When they signed in.
    pub created: Timestamp,
    /// When it was used last, to the minute.
    pub seen: Timestamp,
    /// When it ends, whatever happens.
    pub expires: Timestamp,
}

/// A scope as a column: nothing where it is everything.
fn scope_column(scope: &Scope) -> Result<Option<String>, StoreError> {
    (!scope.is_everything()).then(|| codec::to_json("scope", scope)).transpose()
}

fn scope_of(column: Option<String>) -> Result<Scope, StoreError> {
    column.map_or(Ok(Scope::default()), |scope| codec::from_json("scope", &scope))
}

impl Tx {
    /// Every local user.
    pub async fn users(&mut self) -> Result<Vec<UserRow>, StoreError> {
        type Columns = (String, String, Option<String>, String, i64, i64, Option<i64>);
        let rows: Vec<Columns> = on!(self, conn => sqlx::query_as(
            "SELECT name, role, scope, hash, disabled, created, signed_in FROM account ORDER BY name").fetch_all(conn).await)
        .map_err(StoreError::backend("reading users"))?;
        rows.into_iter()
            .map(|(name, role, scope, hash, disabled, created, signed_in)| {
                Ok(UserRow {
                    name,
                    role: codec::from_json("role", &role)?,
                    scope: scope_of(scope)?,
                    hash,
                    disabled: disabled != 0,
                    created: Timestamp::from_micros(created),
                    signed_in: signed_in.map(Timestamp::from_micros),
                })
            })
            .collect()
    }

    /// Writes a user, in the place of the one of that name. When they signed in last is left as it is: that comes in between.
    pub(super) async fn put_user(&mut self, user: &UserRow) -> Result<(), StoreError> {
        let (role, scope) = (codec::to_json("role", &user.role)?, scope_column(&user.scope)?);
        on!(self, conn => sqlx::query(
            "INSERT INTO account (name, role, scope, hash, disabled, created, signed_in) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO UPDATE SET role = excluded.role, scope = excluded.scope, hash = excluded.hash,
                disabled = excluded.disabled")
            .bind(&user.name).bind(role).bind(scope).bind(&user.hash).bind(i64::from(user.disabled))
            .bind(user.created.micros()).bind(user.signed_in.map(Timestamp::micros)).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing a user"))
    }

    /// Notes when a user signed in.
    pub(super) async fn see_user(&mut self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("UPDATE account SET signed_in = $1 WHERE name = $2")
            .bind(at.micros()).bind(name).execute(conn).await.map(drop))
        .map_err(StoreError::backend("noting who signed in"))
    }

    /// Deletes a user.
    pub(super) async fn delete_user(&mut self, name: &str) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("DELETE FROM account WHERE name = $1").bind(name).execute(conn).await.map(drop))
            .map_err(StoreError::backend("deleting a user"))
    }

    /// Every session.
    pub async fn sessions(&mut self) -> Result<Vec<SessionRow>, StoreError> {
        type Columns = (String, String, String, String, Option<String>, i64, i64, i64);
        let rows: Vec<Columns> = on!(self, conn => sqlx::query_as(
            "SELECT hash, holder, how, role, scope, created, seen, expires FROM session").fetch_all(conn).await)
        .map_err(StoreError::backend("reading sessions"))?;
        rows.into_iter()
            .map(|(hash, holder, how, role, scope, created, seen, expires)| {
                Ok(SessionRow {
                    hash,
                    holder,
                    how: codec::from_json("way of signing in", &how)?,
                    role: codec::from_json("role", &role)?,
                    scope: scope_of(scope)?,
                    created: Timestamp::from_micros(created),
                    seen: Timestamp::from_micros(seen),
                    expires: Timestamp::from_micros(expires),
                })
            })
            .collect()
    }

    /// Writes a session.
    pub(super) async fn put_session(&mut self, row: &SessionRow) -> Result<(), StoreError> {
        let how = codec::to_json("way of signing in", &row.how)?;
        let (role, scope) = (codec::to_json("role", &row.role)?, scope_column(&row.scope)?);
        on!(self, conn => sqlx::query(
            "INSERT INTO session (hash, holder, how, role, scope, created, seen, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(&row.hash).bind(&row.holder).bind(how).bind(role).bind(scope).bind(row.created.micros())
            .bind(row.seen.micros()).bind(row.expires.micros()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing a session"))
    }

    /// Notes when a session was used.
    pub(super) async fn see_session(&mut self, hash: &str, at: Timestamp) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("UPDATE session SET seen = $1 WHERE hash = $2")
            .bind(at.micros()).bind(hash).execute(conn).await.map(drop))
        .map_err(StoreError::backend("noting the use of a session"))
    }

    /// Deletes a session.
    pub(super) async fn delete_session(&mut self, hash: &str) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("DELETE FROM session WHERE hash = $1").bind(hash).execute(conn).await.map(drop))
            .map_err(StoreError::backend("deleting a session"))
    }
}
