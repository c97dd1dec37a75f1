//! Who asks: whoever an API token or a browser's session speaks for, and how they came by it.
use super::{
    access::{Access, Bearer, Issue, Issued, TokenError},
    journal::{Actor, Journal},
    sessions::{Person, Sessions},
    users::{UserError, Users},
};
use crate::{
    domain::scope::Scope,
    secret::{Secret, token_hash},
    store::{SessionRow, StoreError},
};
use pilotlight_types::{
    Timestamp,
    api::{How, IssuedToken, NewUser, User, UserChange},
};
use std::time::Duration;

/// How long a token is good that a person got by signing in: a day's work.
pub const SHIFT: Duration = Duration::from_secs(12 * 3600);

/// Whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who they are, and what they may do.
    pub bearer: Bearer,
    /// How they proved it.
    pub how: How,
    /// Until when that is good.
    pub until: Option<Timestamp>,
    /// By what they ask.
    pub by: Credential,
}

/// What a request was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API token, by its name.
    Token(String),
    /// A session, by its hash.
    Session(String),
}

/// Knows who asks.
#[derive(Debug, Clone)]
pub struct Callers {
    /// Tokens.
    pub access: Access,
    /// Local users.
    pub users: Users,
    /// Browsers.
    pub sessions: Sessions,
    /// The time.
    pub journal: Journal,
}

impl Callers {
    /// Who a token speaks for, if it is good now.
    pub fn by_token(&self, token: &str) -> Option<SignedIn> {
        let bearer = self.access.bearer(token)?;
        let (name, until) = self.access.about(token)?;
        Some(SignedIn { how: how(&bearer.name), bearer, until, by: Credential::Token(name) })
    }

    /// Who a browser's cookie speaks for, if it is good now. What a local user or a token may do is asked each time; what an issuer said
    /// holds until the session ends.
    pub fn by_cookie(&self, cookie: &str) -> Option<SignedIn> {
        let row = self.sessions.find(cookie)?;
        let (bearer, until) = self.still(&row)?;
        let until = Some(until.map_or(row.expires, |until| until.min(row.expires)));
        Some(SignedIn { bearer, how: row.how, until, by: Credential::Session(row.hash) })
    }

    fn still(&self, row: &SessionRow) -> Option<(Bearer, Option<Timestamp>)> {
        let (role, scope) = match row.how {
            How::Token => return self.access.named(&row.holder),
            How::Password => {
                let user = self.users.enabled(row.holder.strip_prefix("user:")?)?;
                (user.role, user.scope)
            }
            How::Oidc => (row.role.clone(), row.scope.clone()),
        };
        let rights = self.access.rights(&role, Scope::new(&scope).ok()?);
        Some((Bearer { name: row.holder.clone(), rights }, None))
    }

    /// The local user with this name and this password.
    pub async fn password(&self, name: &str, password: String, actor: &Actor) -> Result<Person, UserError> {
        let user = self.users.verify(name, password, actor).await?;
        let (holder, mark) = (format!("user:{}", user.name), Some(Users::mark(&user)));
        Ok(Person { holder, how: How::Password, role: user.role, scope: user.scope, until: None, mark })
    }

    /// Begins a browser's session.
    pub async fn sign_in(
        &self,
        person: Person,
        from: &Actor,
    ) -> Result<(Secret<String>, Timestamp), StoreError> {
        let actor = Actor { name: person.holder.clone(), ..from.clone() };
        let user = person.holder.strip_prefix("user:").map(str::to_owned);
        let mark = person.mark.clone();
        let started = self.sessions.start(person, &actor).await?;
        if let Some(user) = user {
            self.users.signed_in(&user);
            if !self.is_still(&user, mark.as_deref()) {
                self.sessions.end(&token_hash(started.0.expose()), &Actor::daemon()).await?;
            }
        }
        Ok(started)
    }

    /// Whether what a local user signed in with is still good. While a password is looked at, which takes its time, somebody may give
    /// them another one, or other rights, and end what they are signed in with: that must not begin after it.
    fn is_still(&self, user: &str, mark: Option<&str>) -> bool {
        mark.is_none_or(|mark| self.users.is_still(user, mark))
    }

    /// Makes a token for somebody who signed in.
    pub async fn issue(&self, person: Person, from: &Actor) -> Result<IssuedToken, TokenError> {
        let actor = Actor { name: person.holder.clone(), ..from.clone() };
        let now = self.journal.now();
        let lifetime = person.until.map_or(SHIFT, |until| until.since(now).min(SHIFT));
        if let Some(user) = person.holder.strip_prefix("user:") {
            self.users.signed_in(user);
        }
        let Person { holder, role, scope, mark, .. } = person;
        let issue = Issue { holder: holder.clone(), role: role.clone(), scope: scope.clone(), lifetime };
        let Issued { name, token } = self.access.issue(issue, &actor).await?;
        if holder.strip_prefix("user:").is_some_and(|user| !self.is_still(user, mark.as_deref())) {
            self.access.end_of(&holder, &Actor::daemon()).await?;
        }
        Ok(IssuedToken {
            access_token: token.expose().clone(),
            issued_token_type: "urn:ietf:params:oauth:token-type:access_token".into(),
            token_type: "Bearer".into(),
            expires_in: lifetime.as_secs(),
            name,
            holder,
            role,
            scope,
        })
    }

    /// Ends the session, or the token, that somebody asks with. A token that was made by hand stays: others may use it.
    pub async fn sign_out(&self, who: &SignedIn, actor: &Actor) -> Result<(), TokenError> {
        match &who.by {
            Credential::Session(hash) => Ok(self.sessions.end(hash, actor).await?),
            Credential::Token(name) if *name == who.bearer.name => Ok(()),
            Credential::Token(name) => self.access.revoke(name, actor).await,
        }
    }

    /// Makes a local user, with no more rights than whoever makes them has.
    pub async fn create(&self, new: NewUser, actor: &Actor) -> Result<User, UserError> {
        let _one_at_a_time = self.access.granting().await;
        self.access.may_give(actor, &new.role, &Scope::new(&new.scope)?)?;
        self.users.create(new, actor).await
    }

    /// Changes what a local user may do; what they were signed in with is over.
    pub async fn change(&self, name: &str, change: UserChange, actor: &Actor) -> Result<User, UserError> {
        let _one_at_a_time = self.access.granting().await;
        self.may_change(name, actor)?;
        self.access.may_give(actor, &change.role, &Scope::new(&change.scope)?)?;
        let changed = self.users.change(name, change, actor).await?;
        self.signed_out(name, None, actor).await?;
        Ok(changed)
    }

    /// Gives a local user another password; what they were signed in with is over. Whoever does that could sign in as them: it takes
    /// their rights.
    pub async fn reset(&self, name: &str, password: String, actor: &Actor) -> Result<(), UserError> {
        // Nobody gives them more rights than that meanwhile.
        let _one_at_a_time = self.access.granting().await;
        self.may_change(name, actor)?;
        self.users.reset(name, password, actor).await?;
        self.signed_out(name, None, actor).await
    }

    /// Fails if a user may do what whoever asks may not.
    fn may_change(&self, name: &str, actor: &Actor) -> Result<(), UserError> {
        let user = self.users.named(name)?;
        Ok(self.access.may_give(actor, &user.role, &Scope::new(&user.scope)?)?)
    }

    /// Gives whoever asks another password, if they know the one that they have.
    pub async fn change_own(
        &self,
        who: &SignedIn,
        (old, new): (String, String),
        actor: &Actor,
    ) -> Result<(), UserError> {
        let name = who.bearer.name.strip_prefix("user:");
        let name = name.ok_or_else(|| UserError::NotLocal(who.bearer.name.clone()))?;
        self.users.verify(name, old, actor).await?;
        self.users.reset(name, new, actor).await?;
        self.signed_out(name, Some(&who.by), actor).await
    }

    /// Deletes a local user, with all that they were signed in with.
    pub async fn delete(&self, name: &str, actor: &Actor) -> Result<(), UserError> {
        let _one_at_a_time = self.access.granting().await;
        self.may_change(name, actor)?;
        self.users.delete(name, actor).await?;
        self.signed_out(name, None, actor).await
    }

    async fn signed_out(
        &self,
        name: &str,
        stays: Option<&Credential>,
        actor: &Actor,
    ) -> Result<(), UserError> {
        let holder = format!("user:{name}");
        let stays =
            stays.and_then(|by| if let Credential::Session(hash) = by { Some(hash.as_str()) } else { None });
        self.sessions.end_of(&holder, stays, actor).await?;
        Ok(self.access.end_of(&holder, actor).await?)
    }
}

/// How somebody of this name proved it.
fn how(name: &str) -> How {
    match name.split_once(':') {
        Some(("user", _)) => How::Password,
        Some(("oidc" | "ci", _)) => How::Oidc,
        _ => How::Token,
    }
}
