//! API tokens: only their hashes are here.
use super::{StoreError, Tx, codec, db::on, resources::conflict};
use pilotlight_types::{
    Timestamp, TokenId,
    api::{Role, Scope},
};

/// An API token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Which objects it is good for.
    pub scope: Scope,
    /// The hash of the token.
    pub hash: String,
    /// Who it was made for when they signed in: `user:alice`.
    pub holder: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub used: Option<Timestamp>,
}

impl Tx {
    /// Every token.
    pub async fn tokens(&mut self) -> Result<Vec<TokenRow>, StoreError> {
        type Columns =
            (String, String, String, Option<String>, String, Option<String>, i64, Option<i64>, Option<i64>);
        let rows: Vec<Columns> = on!(self, conn => sqlx::query_as(
            "SELECT id, name, role, scope, hash, holder, created, expires, used FROM token ORDER BY name").fetch_all(conn).await)
        .map_err(StoreError::backend("reading tokens"))?;
        rows.into_iter()
            .map(|(id, name, role, scope, hash, holder, created, expires, used)| {
                Ok(TokenRow {
                    id: codec::parsed("token id", &id)?,
                    name,
                    role: codec::from_json("role", &role)?,
                    scope: scope.map_or(Ok(Scope::default()), |scope| codec::from_json("scope", &scope))?,
                    hash,
                    holder,
                    created: Timestamp::from_micros(created),
                    expires: expires.map(Timestamp::from_micros),
                    used: used.map(Timestamp::from_micros),
                })
            })
            .collect()
    }

    /// Writes a token. A conflict if there is one of that name.
    pub(super) async fn put_token(&mut self, token: &TokenRow) -> Result<(), StoreError> {
        let role = codec::to_json("role", &token.role)?;
        let scope =
            (!token.scope.is_everything()).then(|| codec::to_json("scope", &token.scope)).transpose()?;
        on!(self, conn => sqlx::query(
            "INSERT INTO token (id, name, role, hash, created, expires, scope, holder) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(token.id.to_string()).bind(&token.name).bind(role).bind(&token.hash).bind(token.created.micros())
            .bind(token.expires.map(Timestamp::micros)).bind(scope).bind(&token.holder).execute(conn).await.map(drop))
        .map_err(|e| conflict(e, "writing a token", || format!("token {}", token.name)))
    }

    /// Notes when a token was used.
    pub(super) async fn use_token(&mut self, id: TokenId, at: Timestamp) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("UPDATE token SET used = $1 WHERE id = $2")
            .bind(at.micros()).bind(id.to_string()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("noting the use of a token"))
    }

    /// Deletes a token.
    pub(super) async fn delete_token(&mut self, id: TokenId) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("DELETE FROM token WHERE id = $1")
            .bind(id.to_string()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("deleting a token"))
    }
}
