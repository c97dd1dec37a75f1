//! `token create`, `token list`, `token delete`.
use super::{
    Output, TokenCommand,
    client::{Client, segment},
    table,
};
use anyhow::Result;
use pilotlight_types::{
    Timestamp,
    api::{CreatedToken, NewToken, Scope, Token},
};

pub(super) async fn run(command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Create { name, role, expires, verbs, kinds, selector, server } => {
            let expires = expires.map(|text| text.parse()).transpose()?;
            let scope = Scope { verbs, kinds, selector: selector.unwrap_or_default() };
            let new = NewToken { name, role, expires, scope };
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
    let row = |token: &Token| {
        let Token { name, role, scope, holder, created, expires, used } = token;
        let holder = holder.clone().unwrap_or_default();
        [
            name.clone(),
            holder,
            role.to_string(),
            scope.to_string(),
            created.to_string(),
            time(*expires),
            time(*used),
        ]
    };
    table::print(
        ["NAME", "OF", "ROLE", "SCOPE", "CREATED", "ENDS", "LAST USED"],
        &tokens.iter().map(row).collect::<Vec<_>>(),
    );
}
