//! Who may do what: API tokens, kept as hashes.
use super::journal::{Actor, Journal};
use crate::{
    clock::random,
    secret::{Secret, new_token, token_hash},
    store::{Db, StoreError, TokenRow, Write},
};
use pilotlight_types::{
    Timestamp, TokenId,
    api::{NewToken, Role},
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// The API tokens.
#[derive(Debug, Clone)]
pub struct Access {
    tokens: Arc<RwLock<HashMap<String, TokenRow>>>,
    journal: Journal,
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The token's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is none.
    #[error("a token's name is 1 to 63 letters, digits, `.`, `_`, `-` and `@`")]
    Name,
    /// It would be over before it begins.
    #[error("the token would have ended at {0} already")]
    Expired(Timestamp),
    /// There is one of that name.
    #[error("there is a token `{0}` already")]
    Exists(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Access {
    /// Reads the tokens.
    pub async fn load(db: &Db, journal: Journal) -> Result<Self, StoreError> {
        let rows = db.read().await?.tokens().await?;
        let tokens = rows.into_iter().map(|row| (row.hash.clone(), row)).collect();
        Ok(Self { tokens: Arc::new(RwLock::new(tokens)), journal })
    }

    /// Whether there is no token at all: then this is the first start.
    pub fn is_empty(&self) -> bool {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Who the token speaks for, if it is good now.
    pub fn bearer(&self, token: &str) -> Option<Bearer> {
        let now = self.journal.now();
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let row = tokens.get(&token_hash(token))?;
        let good = row.expires.is_none_or(|end| end > now);
        good.then(|| Bearer { name: row.name.clone(), role: row.role })
    }

    /// Makes a token. It is returned once, and kept as a hash.
    pub async fn create(&self, new: NewToken, actor: &Actor) -> Result<Secret<String>, TokenError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        if !(1..=63).contains(&new.name.len()) || !new.name.chars().all(plain) {
            return Err(TokenError::Name);
        }
        let now = self.journal.now();
        if let Some(end) = new.expires.filter(|end| *end <= now) {
            return Err(TokenError::Expired(end));
        }
        let token = new_token();
        let row = TokenRow {
            id: TokenId::new(now, random()),
            name: new.name.clone(),
            role: new.role,
            hash: token_hash(token.expose()),
            created: now,
            expires: new.expires,
        };
        let object = format!("token/{}", new.name);
        let writes = vec![
            Write::Token(row.clone()),
            self.journal.event("token.created", &object, actor, None, format!("token {} was made", new.name)),
            self.journal.audit(actor, "created", object, None, serde_json::to_value(new.role).ok()),
        ];
        match self.journal.commit(writes).await {
            Err(StoreError::Conflict { .. }) => return Err(TokenError::Exists(new.name)),
            other => other?,
        }
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).insert(row.hash.clone(), row);
        Ok(token)
    }
}
