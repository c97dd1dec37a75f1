//! Browsers that are signed in: a cookie for each, kept as a hash, over when it is not used, when its time is up, and at once when
//! somebody signs out.
use super::journal::{Actor, Journal};
use crate::{
    secret::{Secret, new_token, token_hash},
    store::{Db, SessionRow, StoreError, Write},
};
use pilotlight_types::{
    Timestamp,
    api::{How, Role, Scope},
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

/// A session that is not used is over.
pub const IDLE: Duration = Duration::from_secs(2 * 3600);

/// A session is over, however much it is used. A page that reloads itself uses it.
pub const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// How often the use of a session is noted at the most.
const NOTED: Duration = Duration::from_secs(60);

/// How many sessions one person may have; the oldest goes for one more.
const MOST_OF_ONE: usize = 20;

/// The sessions.
#[derive(Debug, Clone)]
pub struct Sessions {
    rows: Arc<RwLock<HashMap<String, SessionRow>>>,
    journal: Journal,
}

/// Who signed in, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As the audit log has it: `user:alice`, `oidc:alice`, or a token's name.
    pub holder: String,
    /// How they proved it.
    pub how: How,
    /// What they may do.
    pub role: Role,
    /// Which objects that is good for.
    pub scope: Scope,
    /// When that ends at the latest; not before the session does, if not set.
    pub until: Option<Timestamp>,
    /// Of a local user, what they were like when their password was good: it is not, once that has changed.
    pub mark: Option<String>,
}

impl Sessions {
    /// Reads the sessions.
    pub async fn load(db: &Db, journal: Journal) -> Result<Self, StoreError> {
        let rows = db.read().await?.sessions().await?;
        let rows = rows.into_iter().map(|row| (row.hash.clone(), row)).collect();
        Ok(Self { rows: Arc::new(RwLock::new(rows)), journal })
    }

    /// Begins a session; gives its cookie, and when it ends at the latest.
    pub async fn start(
        &self,
        person: Person,
        actor: &Actor,
    ) -> Result<(Secret<String>, Timestamp), StoreError> {
        let now = self.journal.now();
        let longest = now.plus(LONGEST);
        let Person { holder, how, role, scope, until, .. } = person;
        let cookie = new_token();
        let row = SessionRow {
            hash: token_hash(cookie.expose()),
            holder,
            how,
            role,
            scope,
            created: now,
            seen: now,
            expires: until.map_or(longest, |until| until.min(longest)),
        };
        let gone = self.in_the_way(&row.holder, now);
        let object = format!("session/{}", row.holder);
        let words = format!("{} signed in", row.holder);
        let after =
            serde_json::json!({"how": row.how, "role": row.role, "scope": row.scope, "expires": row.expires});
        let mut writes: Vec<Write> = gone.iter().cloned().map(Write::NoSession).collect();
        writes.extend([
            Write::Session(row.clone()),
            self.journal.event("session.started", &object, actor, None, words),
            self.journal.audit(actor, "created", object, None, Some(after)),
        ]);
        self.journal.commit(writes).await?;
        let mut rows = self.write();
        gone.iter().for_each(|hash| drop(rows.remove(hash)));
        let expires = row.expires;
        rows.insert(row.hash.clone(), row);
        Ok((cookie, expires))
    }

    /// The session of a cookie, if it is good now.
    pub fn find(&self, cookie: &str) -> Option<SessionRow> {
        let (now, hash) = (self.journal.now(), token_hash(cookie));
        let row = self.read().get(&hash).filter(|row| good(row, now)).cloned()?;
        if now.since(row.seen) >= NOTED
            && let Some(row) = self.write().get_mut(&hash)
        {
            row.seen = now;
            self.journal.later(vec![Write::SessionUse(hash, now)]);
        }
        Some(row)
    }

    /// Ends a session at once.
    pub async fn end(&self, hash: &str, actor: &Actor) -> Result<(), StoreError> {
        let Some(row) = self.read().get(hash).cloned() else { return Ok(()) };
        self.end_all(&[row], actor, "signed out").await
    }

    /// Ends every session of somebody, but the one that is to stay.
    pub async fn end_of(&self, holder: &str, stays: Option<&str>, actor: &Actor) -> Result<(), StoreError> {
        let of = |row: &&SessionRow| row.holder == holder && Some(row.hash.as_str()) != stays;
        let rows: Vec<SessionRow> = self.read().values().filter(of).cloned().collect();
        self.end_all(&rows, actor, "was signed out").await
    }

    async fn end_all(&self, rows: &[SessionRow], actor: &Actor, how: &str) -> Result<(), StoreError> {
        let writes = rows.iter().flat_map(|row| {
            let (object, words) = (format!("session/{}", row.holder), format!("{} {how}", row.holder));
            [
                Write::NoSession(row.hash.clone()),
                self.journal.event("session.ended", &object, actor, None, words),
                self.journal.audit(actor, "deleted", object, None, None),
            ]
        });
        let writes = writes.collect();
        // First here: a session is not good for a moment longer because the database is slow.
        {
            let mut all = self.write();
            rows.iter().for_each(|row| drop(all.remove(&row.hash)));
        }
        let done = self.journal.commit(writes).await;
        if done.is_err() {
            // It would be back after a restart anyway: whoever is told that it failed can end it again.
            let mut all = self.write();
            rows.iter().for_each(|row| drop(all.insert(row.hash.clone(), row.clone())));
        }
        done
    }

    /// The hashes of sessions that are over, and of those that one person has too many of.
    fn in_the_way(&self, holder: &str, now: Timestamp) -> Vec<String> {
        let rows = self.read();
        let mut theirs: Vec<&SessionRow> =
            rows.values().filter(|row| row.holder == holder && good(row, now)).collect();
        theirs.sort_by_key(|row| row.created);
        let too_many = (theirs.len() + 1).saturating_sub(MOST_OF_ONE);
        let over = rows.values().filter(|row| !good(row, now));
        over.chain(theirs.into_iter().take(too_many)).map(|row| row.hash.clone()).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, SessionRow>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, SessionRow>> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn good(row: &SessionRow, now: Timestamp) -> bool {
    row.expires > now && now.since(row.seen) < IDLE
}
