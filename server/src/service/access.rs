//! Who may do what: API tokens, kept as hashes.
mod issued;

pub use issued::{Issue, Issued};

use super::{
    journal::{Actor, Journal},
    roster::Roster,
    users::Users,
};
use crate::{
    clock::random,
    domain::{
        rights::{Beyond, Rights, Rule, built_in, rules},
        scope::Scope,
        selector::SelectorError,
    },
    secret::{Secret, new_token, token_hash},
    store::{Db, StoreError, TokenRow, Write},
};
use pilotlight_types::{
    Timestamp, TokenId,
    api::{NewToken, Role, Token},
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How often the use of a token is noted at the most.
const NOTED: Duration = Duration::from_secs(60);

/// The API tokens.
#[derive(Debug, Clone)]
pub struct Access {
    tokens: Arc<RwLock<HashMap<String, Known>>>,
    roster: Roster,
    users: Users,
    journal: Journal,
    // One after the other: of two that revoke each other, one must see what the other did; nobody is given a role while it goes.
    granting: Arc<Mutex<()>>,
}

/// A token, with its scope understood.
#[derive(Debug, Clone)]
struct Known {
    row: TokenRow,
    scope: Scope,
}

impl TryFrom<TokenRow> for Known {
    type Error = SelectorError;

    fn try_from(row: TokenRow) -> Result<Self, SelectorError> {
        Ok(Self { scope: Scope::new(&row.scope)?, row })
    }
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The token's name; for one that somebody got by signing in, theirs, as `user:alice`.
    pub name: String,
    /// What it may do, as its role is now.
    pub rights: Rights,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is none.
    #[error("a token's name is 1 to 63 letters, digits, `.`, `_`, `-` and `@`")]
    Name,
    /// Its scope is none.
    #[error("the scope's selector: {0}")]
    Scope(#[from] SelectorError),
    /// Its role is none.
    #[error("there is no role {0}")]
    Role(Role),
    /// It would allow more than whoever makes it may do.
    #[error(transparent)]
    Beyond(#[from] Beyond),
    /// It would be over before it begins.
    #[error("the token would have ended at {0} already")]
    Expired(Timestamp),
    /// There is one of that name.
    #[error("there is a token `{0}` already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no token `{0}`")]
    NotFound(String),
    /// Nobody could change anything any more.
    #[error("`{0}` is the last token of an admin that does not end: make another one first")]
    Last(String),
    /// There is no room for another one.
    #[error("there are {0} tokens of people and pipelines already")]
    TooMany(usize),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Access {
    /// Reads the tokens.
    pub async fn load(db: &Db, roster: Roster, users: Users, journal: Journal) -> Result<Self, StoreError> {
        let rows = db.read().await?.tokens().await?;
        let unreadable = |e: SelectorError| StoreError::Unreadable { what: "scope", why: e.to_string() };
        let known = |row: TokenRow| Ok((row.hash.clone(), Known::try_from(row).map_err(unreadable)?));
        let tokens = rows.into_iter().map(known).collect::<Result<_, StoreError>>()?;
        Ok(Self { tokens: Arc::new(RwLock::new(tokens)), roster, users, journal, granting: Arc::default() })
    }

    /// Whether there is no token at all: then this is the first start.
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// Who the token speaks for, if it is good now.
    pub fn bearer(&self, token: &str) -> Option<Bearer> {
        let (now, hash) = (self.journal.now(), token_hash(token));
        let (bearer, noted) = {
            let tokens = self.read();
            let Known { row, scope } =
                tokens.get(&hash).filter(|known| known.row.expires.is_none_or(|end| end > now))?;
            (self.speaks_for(row, scope), row.used)
        };
        if noted.is_none_or(|noted| now.since(noted) >= NOTED)
            && let Some(Known { row, .. }) = self.write().get_mut(&hash)
        {
            row.used = Some(now);
            self.journal.later(vec![Write::TokenUse(row.id, now)]);
        }
        Some(bearer)
    }

    /// Who a token speaks for: whoever got it by signing in, or itself.
    fn speaks_for(&self, row: &TokenRow, scope: &Scope) -> Bearer {
        let name = row.holder.clone().unwrap_or_else(|| row.name.clone());
        Bearer { name, rights: self.rights(&row.role, scope.clone()) }
    }

    /// What somebody with this role and this scope may do now. A role that is not there allows nothing.
    pub fn rights(&self, role: &Role, scope: Scope) -> Rights {
        Rights::new(role.clone(), self.rules(role).unwrap_or_default(), scope)
    }

    /// The rules of a role, as they are now.
    fn rules(&self, role: &Role) -> Option<Arc<[Rule]>> {
        let Role::Custom(name) = role else { return Some(built_in(role)) };
        // What cannot be understood was not written, and would allow nothing.
        self.roster.read(|inventory| rules(&inventory.roles.get(name)?.spec).ok())
    }

    /// Fails unless there is such a role, and somebody may give it, within this scope, to others.
    pub(super) fn may_give(&self, actor: &Actor, role: &Role, scope: &Scope) -> Result<(), TokenError> {
        let rules = self.rules(role).ok_or_else(|| TokenError::Role(role.clone()))?;
        Ok(actor.rights.may_give(role, &rules, scope)?)
    }

    /// Keeps everybody from giving a role, and from ending what has one, while it is held.
    pub(super) async fn granting(&self) -> OwnedMutexGuard<()> {
        self.granting.clone().lock_owned().await
    }

    /// Who has this role, if anybody has: what has ended counts until it is deleted.
    pub(super) fn user_of(&self, role: &Role) -> Option<String> {
        let tokens = self.read();
        let mut names: Vec<&str> = tokens
            .values()
            .filter(|known| known.row.role == *role)
            .map(|known| known.row.name.as_str())
            .collect();
        names.sort_unstable();
        let token = names.first().map(|name| format!("token {name} has it"));
        token.or_else(|| self.users.of_role(role).map(|name| format!("user {name} has it")))
    }

    /// The tokens, by name.
    pub fn list(&self) -> Vec<Token> {
        let shown = |known: &Known| {
            let TokenRow { name, role, scope, holder, created, expires, used, .. } = known.row.clone();
            Token { name, role, scope, holder, created, expires, used }
        };
        let mut tokens: Vec<Token> = self.read().values().map(shown).collect();
        tokens.sort_by(|a, b| a.name.cmp(&b.name));
        tokens
    }

    /// Ends a token at once, and for good.
    pub async fn revoke(&self, name: &str, actor: &Actor) -> Result<(), TokenError> {
        let _one_at_a_time = self.granting().await;
        let row = {
            let tokens = self.read();
            let found = tokens.values().map(|known| &known.row).find(|row| row.name == name);
            let row = found.ok_or_else(|| TokenError::NotFound(name.chars().take(80).collect()))?;
            let stays = |row: &&TokenRow| {
                row.role == Role::Admin && row.expires.is_none() && row.scope.is_everything()
            };
            if stays(&row) && tokens.values().map(|known| &known.row).filter(stays).count() == 1 {
                return Err(TokenError::Last(row.name.clone()));
            }
            row.clone()
        };
        let object = format!("token/{name}");
        let before = Some(granted(&row));
        let told =
            self.journal.event("token.revoked", &object, actor, None, format!("token {name} was revoked"));
        let audit = self.journal.audit(actor, "deleted", object, before, None);
        self.journal.commit(vec![Write::NoToken(row.id), told, audit]).await?;
        self.write().remove(&row.hash);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Known>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Known>> {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner)
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
        let scope = Scope::new(&new.scope)?;
        let _one_at_a_time = self.granting().await;
        self.may_give(actor, &new.role, &scope)?;
        self.put(new, scope, None, actor).await
    }

    /// Writes a token that is good.
    async fn put(
        &self,
        new: NewToken,
        scope: Scope,
        holder: Option<String>,
        actor: &Actor,
    ) -> Result<Secret<String>, TokenError> {
        let now = self.journal.now();
        let token = new_token();
        let row = TokenRow {
            id: TokenId::new(now, random()),
            name: new.name.clone(),
            role: new.role.clone(),
            scope: new.scope.clone(),
            hash: token_hash(token.expose()),
            holder,
            created: now,
            expires: new.expires,
            used: None,
        };
        let object = format!("token/{}", new.name);
        let writes = vec![
            Write::Token(row.clone()),
            self.journal.event(
                "token.created",
                &object,
                actor,
                None,
                match &row.holder {
                    None => format!("token {} was made", new.name),
                    Some(holder) => format!("token {} was made for {holder}", new.name),
                },
            ),
            self.journal.audit(actor, "created", object, None, Some(granted(&row))),
        ];
        match self.journal.commit(writes).await {
            Err(StoreError::Conflict { .. }) => return Err(TokenError::Exists(new.name)),
            other => other?,
        }
        self.write().insert(row.hash.clone(), Known { row, scope });
        Ok(token)
    }
}

/// What a token may do, for the audit log.
fn granted(row: &TokenRow) -> serde_json::Value {
    let mut granted = serde_json::json!({"role": row.role, "scope": row.scope});
    if let (Some(holder), Some(map)) = (&row.holder, granted.as_object_mut()) {
        map.insert("holder".into(), holder.clone().into());
    }
    granted
}
