//! Tokens that people and pipelines get for having signed in: they end by themselves, and are listed and revoked like any other.
use super::{Access, Bearer, Known, TokenError, granted};
use crate::{
    clock::random,
    domain::scope::Scope,
    secret::{Secret, token_hash},
    service::journal::Actor,
    store::{StoreError, TokenRow, Write},
};
use pilotlight_types::{
    Timestamp,
    api::{self, NewToken, Role},
};
use std::time::Duration;

/// How many such tokens there may be at once: a pipeline has one for each job.
const MOST: usize = 10_000;

/// How many one person or pipeline's project may have at once; the oldest goes for one more.
const MOST_OF_ONE: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Who it speaks for, as `user:alice`.
    pub holder: String,
    /// What it may do.
    pub role: Role,
    /// Which objects it is good for.
    pub scope: api::Scope,
    /// How long.
    pub lifetime: Duration,
}

/// A token that was issued.
#[derive(Debug)]
pub struct Issued {
    /// Its name in the list of tokens.
    pub name: String,
    /// The token itself.
    pub token: Secret<String>,
}

impl Access {
    /// Makes a token for somebody who signed in.
    pub async fn issue(&self, issue: Issue, actor: &Actor) -> Result<Issued, TokenError> {
        let scope = Scope::new(&issue.scope)?;
        let _one_at_a_time = self.granting().await;
        self.make_room(&issue.holder, actor).await?;
        let name = format!("{}.{}", plain(&issue.holder), hex::encode(random::<4>()));
        let expires = Some(self.journal.now().plus(issue.lifetime));
        let new = NewToken { name: name.clone(), role: issue.role, expires, scope: issue.scope };
        let token = self.put(new, scope, Some(issue.holder), actor).await?;
        Ok(Issued { name, token })
    }

    /// The token of that name, if it is good now.
    pub fn named(&self, name: &str) -> Option<(Bearer, Option<Timestamp>)> {
        let now = self.journal.now();
        let tokens = self.read();
        let Known { row, scope } = tokens.values().find(|known| known.row.name == name)?;
        let good = row.expires.is_none_or(|end| end > now);
        good.then(|| (self.speaks_for(row, scope), row.expires))
    }

    /// The row of a token that is good, whose use [`Access::bearer`] has noted.
    pub fn about(&self, token: &str) -> Option<(String, Option<Timestamp>)> {
        let tokens = self.read();
        let row = &tokens.get(&token_hash(token))?.row;
        Some((row.name.clone(), row.expires))
    }

    /// Ends every token that somebody got by signing in.
    pub async fn end_of(&self, holder: &str, actor: &Actor) -> Result<(), StoreError> {
        let held = |row: &TokenRow| row.holder.as_deref() == Some(holder);
        let rows: Vec<TokenRow> =
            self.read().values().map(|known| &known.row).filter(|row| held(row)).cloned().collect();
        self.end(&rows, actor).await
    }

    /// Those that are over go, and the oldest of whoever has too many.
    async fn make_room(&self, holder: &str, actor: &Actor) -> Result<(), TokenError> {
        let now = self.journal.now();
        let (over, mut theirs, all) = {
            let tokens = self.read();
            let issued: Vec<&TokenRow> =
                tokens.values().map(|known| &known.row).filter(|row| row.holder.is_some()).collect();
            let ended = |row: &&&TokenRow| row.expires.is_some_and(|end| end <= now);
            let over: Vec<TokenRow> = issued.iter().filter(ended).map(|row| (*row).clone()).collect();
            let held = |row: &&&TokenRow| row.holder.as_deref() == Some(holder) && !ended(row);
            let theirs: Vec<TokenRow> = issued.iter().filter(held).map(|row| (*row).clone()).collect();
            (over, theirs, issued.len())
        };
        if all - over.len() >= MOST {
            return Err(TokenError::TooMany(MOST));
        }
        // That these end was said when they were made.
        let writes: Vec<Write> = over.iter().map(|row| Write::NoToken(row.id)).collect();
        self.journal.commit(writes).await?;
        self.forget(&over);
        theirs.sort_by_key(|row| row.created);
        theirs.truncate((theirs.len() + 1).saturating_sub(MOST_OF_ONE));
        Ok(self.end(&theirs, actor).await?)
    }

    async fn end(&self, rows: &[TokenRow], actor: &Actor) -> Result<(), StoreError> {
        let writes = rows.iter().flat_map(|row| {
            let (object, words) = (format!("token/{}", row.name), format!("token {} was revoked", row.name));
            [
                Write::NoToken(row.id),
                self.journal.event("token.revoked", &object, actor, None, words),
                self.journal.audit(actor, "deleted", object, Some(granted(row)), None),
            ]
        });
        self.journal.commit(writes.collect()).await?;
        self.forget(rows);
        Ok(())
    }

    fn forget(&self, rows: &[TokenRow]) {
        let mut tokens = self.write();
        for row in rows {
            tokens.remove(&row.hash);
        }
    }
}

/// Who it is for, as a token may be called: `user:alice` is `user-alice`.
fn plain(holder: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._@".contains(c) { c } else { '-' };
    holder.chars().map(plain).take(48).collect()
}
