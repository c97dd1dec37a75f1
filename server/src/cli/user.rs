//! `user create`, `user list`, `user set`, `user passwd`, `user delete`.
use super::{
    Output, UserCommand,
    client::{Client, account},
    password, table,
};
use anyhow::{Result, bail};
use pilotlight_types::{
    Timestamp,
    api::{Me, NewUser, PasswordChange, PasswordReset, Scope, User, UserChange},
};

pub(super) async fn run(command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Create { name, role, verbs, kinds, selector, server } => {
            let client = Client::new(&server)?;
            let password = password::read_new(&format!("Password for {name}"))?;
            let scope = Scope { verbs, kinds, selector: selector.unwrap_or_default() };
            let new = NewUser { name, password, role, scope };
            let made: User = client.post("/users", &new).await?;
            println!("user/{} created, with the role {}", made.name, made.role);
        }
        UserCommand::List { output, server } => {
            let users: Vec<User> = Client::new(&server)?.list("/users", &[]).await?;
            match output {
                Output::Table => print(&users),
                Output::Json => println!("{}", serde_json::to_string_pretty(&users)?),
                Output::Yaml => print!("{}", serde_saphyr::to_string(&users)?),
            }
        }
        UserCommand::Set { name, role, disabled, enabled, server } => {
            let client = Client::new(&server)?;
            let users: Vec<User> = client.list("/users", &[]).await?;
            let Some(user) = users.into_iter().find(|user| user.name == name) else {
                bail!("there is no user `{name}`");
            };
            let role = role.unwrap_or(user.role);
            let disabled = if enabled { false } else { disabled || user.disabled };
            let change = UserChange { role, scope: user.scope, disabled };
            let made: User = client.put(&format!("/users/{}", account(&name)?), &change).await?;
            let state = if made.disabled { ", and may not sign in" } else { "" };
            println!("user/{} has the role {}{state}", made.name, made.role);
        }
        UserCommand::Passwd { name: Some(name), server } => {
            let password = password::read_new(&format!("New password for {name}"))?;
            let path = format!("/users/{}/password", account(&name)?);
            Client::new(&server)?.put_only(&path, &PasswordReset { password }).await?;
            println!("user/{name} has another password, and is signed out everywhere");
        }
        UserCommand::Passwd { name: None, server } => {
            let client = Client::new(&server)?;
            let me: Me = client.get("/me", &[]).await?;
            let Some(name) = me.name.strip_prefix("user:") else {
                bail!("{} is no local user: name the user whose password is to be another one", me.name);
            };
            let old = password::read(&format!("Password of {name} until now"))?;
            let new = password::read_new("New password")?;
            client.post_only("/me/password", &PasswordChange { old, new }).await?;
            println!("user/{name} has another password; sign in again");
        }
        UserCommand::Delete { name, server } => {
            Client::new(&server)?.delete(&format!("/users/{}", account(&name)?), &[]).await?;
            println!("user/{name} deleted");
        }
    }
    Ok(())
}

fn print(users: &[User]) {
    let time = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
    let row = |user: &User| {
        let User { name, role, scope, disabled, created, signed_in } = user;
        let state = if *disabled { "disabled" } else { "enabled" };
        [
            name.clone(),
            role.to_string(),
            scope.to_string(),
            state.to_owned(),
            created.to_string(),
            time(*signed_in),
        ]
    };
    table::print(
        ["NAME", "ROLE", "SCOPE", "STATE", "CREATED", "SIGNED IN"],
        &users.iter().map(row).collect::<Vec<_>>(),
    );
}
