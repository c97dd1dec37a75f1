//! `token create`, `token list`, `token delete`.
use super::{
    Output, TokenCommand,
    client::{Client, segment},
    table,
};
use anyhow::Result;
use pilotlight_types::{
    Timestamp,
    api::{CreatedToken, NewToken, Token},
};
use serde_json::Value;

pub(super) async fn run(command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Create { name, role, expires, server } => {
            let expires = expires.map(|text| text.parse()).transpose()?;
            let new = NewToken { name, role: role.into(), expires };
            let created: CreatedToken = Client::new(&server)?.post("/tokens", &new).await?;
            println!("{}", created.token);
        }
        TokenCommand::List { output, server } => {
            let tokens: Vec<Token> = Client::new(&server)?.list("/tokens", &[]).await?;
            match output {
                Output::Table => print(&tokens),
                Output::Json => println!("{}", serde_json::to_string_pretty(&tokens)?),
                Output::Yaml => print!("{}", serde_saphyr::to_string(&tokens)?),
            }
        }
        TokenCommand::Delete { name, server } => {
            Client::new(&server)?.delete(&format!("/tokens/{}", segment(&name)?), &[]).await?;
            println!("token/{name} deleted");
        }
    }
    Ok(())
}

fn print(tokens: &[Token]) {
    let time = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
    let role = |token: &Token| {
        let name = serde_json::to_value(token.role).ok();
        name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let row = |token: &Token| {
        [token.name.clone(), role(token), token.created.to_string(), time(token.expires), time(token.used)]
    };
    table::print(
        ["NAME", "ROLE", "CREATED", "ENDS", "LAST USED"],
        &tokens.iter().map(row).collect::<Vec<_>>(),
    );
}
