//! Local users: for the days when no issuer answers, and for sites that have none.
mod hashing;

use super::{
    access::TokenError,
    journal::{Actor, Journal},
};
use crate::{
    domain::{attempts::Attempts, scope::Scope, selector::SelectorError},
    secret::{
        Secret,
        password::{self, BadPassword},
        token_hash,
    },
    store::{Db, StoreError, UserRow, Write},
};
use hashing::Hashing;
use pilotlight_types::api::{NewUser, Role, User, UserChange};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

/// The local users.
#[derive(Debug, Clone)]
pub struct Users {
    rows: Arc<RwLock<BTreeMap<String, UserRow>>>,
    journal: Journal,
    hashing: Hashing,
    attempts: Arc<Mutex<Attempts>>,
    // One after the other: each sees what the one before did.
    changing: Arc<tokio::sync::Mutex<()>>,
}

/// Why nothing was done with a user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name is none.
    #[error("a user's name is 1 to 63 letters, digits, `.`, `_`, `-` and `@`")]
    Name,
    /// The scope is none.
    #[error("the scope's selector: {0}")]
    Scope(#[from] SelectorError),
    /// It would allow more than whoever asks may do.
    #[error(transparent)]
    Rights(#[from] TokenError),
    /// The password is none.
    #[error(transparent)]
    Password(#[from] BadPassword),
    /// There is one of that name.
    #[error("there is a user `{0}` already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no user `{0}`")]
    NotFound(String),
    /// Whoever asks is no local user.
    #[error("{0} is no local user: a password is only theirs")]
    NotLocal(String),
    /// Name or password is wrong; which of them is not said.
    #[error("the name or the password is wrong")]
    Wrong,
    /// There were too many failures.
    #[error("too many attempts failed: try again in {} s", .0.as_secs().max(1))]
    Wait(Duration),
    /// There is too much to do.
    #[error("too many people sign in at once: try again")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Users {
    /// Reads the users.
    pub async fn load(db: &Db, journal: Journal) -> Result<Self, StoreError> {
        let rows = db.read().await?.users().await?;
        let rows = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
        let (attempts, changing) = (Arc::default(), Arc::default());
        Ok(Self {
            rows: Arc::new(RwLock::new(rows)),
            journal,
            hashing: Hashing::default(),
            attempts,
            changing,
        })
    }

    /// The users, by name.
    pub fn list(&self) -> Vec<User> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.values().map(shown).collect()
    }

    /// Whether there is none who could sign in.
    pub fn is_empty(&self) -> bool {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).values().all(|row| row.disabled)
    }

    /// The user of that name, if they may sign in.
    pub fn enabled(&self, name: &str) -> Option<UserRow> {
        self.row(name).filter(|row| !row.disabled)
    }

    /// Makes a user.
    pub async fn create(&self, new: NewUser, actor: &Actor) -> Result<User, UserError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        if !(1..=63).contains(&new.name.len()) || !new.name.chars().all(plain) {
            return Err(UserError::Name);
        }
        Scope::new(&new.scope)?;
        let hash = self.hash(&new.name, new.password).await?;
        let _one_at_a_time = self.changing.lock().await;
        if self.row(&new.name).is_some() {
            return Err(UserError::Exists(new.name));
        }
        let row = UserRow {
            name: new.name,
            role: new.role,
            scope: new.scope,
            hash,
            disabled: false,
            created: self.journal.now(),
            signed_in: None,
        };
        let words = format!("user {} was made, with the role {}", row.name, row.role);
        self.put(None, row.clone(), actor, ("user.created", "created", words)).await?;
        Ok(shown(&row))
    }

    /// Changes what a user may do.
    pub async fn change(&self, name: &str, change: UserChange, actor: &Actor) -> Result<User, UserError> {
        Scope::new(&change.scope)?;
        let _one_at_a_time = self.changing.lock().await;
        let before = self.named(name)?;
        let UserChange { role, scope, disabled } = change;
        let row = UserRow { role: role.clone(), scope, disabled, ..before.clone() };
        let state = if disabled { ", and may not sign in" } else { "" };
        let words = format!("user {name} has the role {role} now{state}");
        self.put(Some(before), row.clone(), actor, ("user.changed", "changed", words)).await?;
        Ok(shown(&row))
    }

    /// Gives a user another password.
    pub async fn reset(&self, name: &str, password: String, actor: &Actor) -> Result<(), UserError> {
        self.named(name)?;
        let hash = self.hash(name, password).await?;
        let _one_at_a_time = self.changing.lock().await;
        let before = self.named(name)?;
        let row = UserRow { hash, ..before.clone() };
        let words = format!("user {name} has another password");
        self.put(Some(before), row, actor, ("user.password", "password", words)).await
    }

    /// Deletes a user.
    pub async fn delete(&self, name: &str, actor: &Actor) -> Result<(), UserError> {
        let _one_at_a_time = self.changing.lock().await;
        let before = self.named(name)?;
        let object = format!("user/{name}");
        let words = format!("user {name} was deleted");
        let told = self.journal.event("user.deleted", &object, actor, None, words);
        let audit = self.journal.audit(actor, "deleted", object, Some(granted(&before)), None);
        self.journal.commit(vec![Write::NoUser(name.to_owned()), told, audit]).await?;
        self.rows.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    /// The user who has this name and this password. It takes as long, and says the same, whether there is such a user or not.
    pub async fn verify(&self, name: &str, password: String, actor: &Actor) -> Result<UserRow, UserError> {
        let now = self.journal.now();
        let begun = self.attempts().begin(name, actor.remote, now);
        begun.map_err(UserError::Wait)?;
        let row = self.enabled(name);
        let hash = row.as_ref().map(|row| row.hash.clone());
        let good = self.hashing.verify(password, hash).await?;
        match row.filter(|_| good) {
            Some(row) => {
                self.attempts().succeeded(name, actor.remote);
                Ok(row)
            }
            None => {
                self.refused(name, actor);
                Err(UserError::Wrong)
            }
        }
    }

    /// A user who has this role, if anybody has.
    pub(super) fn of_role(&self, role: &Role) -> Option<String> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.values().find(|row| row.role == *role).map(|row| row.name.clone())
    }

    /// Notes that a user signed in. Only that is written: what they may do may be on its way into the database.
    pub(super) fn signed_in(&self, name: &str) {
        let now = self.journal.now();
        if let Some(row) = self.rows.write().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            row.signed_in = Some(now);
            self.journal.later(vec![Write::UserSignedIn(name.to_owned(), now)]);
        }
    }

    /// Whether a user is still as they were when this was their mark: with that password, and with those rights.
    pub(super) fn is_still(&self, name: &str, mark: &str) -> bool {
        self.enabled(name).is_some_and(|row| Self::mark(&row) == mark)
    }

    /// What is another one once a user has another password, or other rights.
    pub(super) fn mark(row: &UserRow) -> String {
        token_hash(&format!("{}\n{}", row.hash, granted(row)))
    }

    /// A name that nobody has may be a password in the wrong field: it is not repeated.
    fn refused(&self, name: &str, actor: &Actor) {
        let known = self.row(name).is_some();
        let object = if known { format!("user/{name}") } else { "user/unknown".to_owned() };
        let from = actor.remote.map(|address| format!(" from {address}")).unwrap_or_default();
        let who = if known { format!("user {name}") } else { "somebody who is no user".to_owned() };
        let words = format!("{who} was refused{from}: the name or the password is wrong");
        let told = self.journal.event("session.refused", &object, actor, None, words);
        self.journal.later(vec![told, self.journal.audit(actor, "refused", object, None, None)]);
    }

    async fn hash(&self, name: &str, password: String) -> Result<String, UserError> {
        password::check(name, &password)?;
        self.hashing.hash(Secret::new(password)).await
    }

    async fn put(
        &self,
        before: Option<UserRow>,
        row: UserRow,
        actor: &Actor,
        (kind, action, words): (&'static str, &str, String),
    ) -> Result<(), UserError> {
        let object = format!("user/{}", row.name);
        let told = self.journal.event(kind, &object, actor, None, words);
        let audit =
            self.journal.audit(actor, action, object, before.as_ref().map(granted), Some(granted(&row)));
        self.journal.commit(vec![Write::User(row.clone()), told, audit]).await?;
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        // They may have signed in meanwhile.
        let signed_in = rows.get(&row.name).and_then(|now| now.signed_in).max(row.signed_in);
        rows.insert(row.name.clone(), UserRow { signed_in, ..row });
        Ok(())
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn row(&self, name: &str) -> Option<UserRow> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The user of that name.
    pub(super) fn named(&self, name: &str) -> Result<UserRow, UserError> {
        self.row(name).ok_or_else(|| UserError::NotFound(name.chars().take(80).collect()))
    }
}

fn shown(row: &UserRow) -> User {
    let UserRow { name, role, scope, disabled, created, signed_in, .. } = row.clone();
    User { name, role, scope, disabled, created, signed_in }
}

/// What a user may do, for the audit log.
fn granted(row: &UserRow) -> serde_json::Value {
    serde_json::json!({"role": row.role, "scope": row.scope, "disabled": row.disabled})
}
