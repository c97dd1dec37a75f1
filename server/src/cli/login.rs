//! `login`, `logout`, `whoami`.
mod device;

use super::{LoginArgs, LogoutArgs, Output, WhoamiArgs, client::Client, credentials, password};
use crate::clock::Clock;
use anyhow::{Context, Result, bail};
use pilotlight_types::api::{IssuedToken, Me, PasswordSignIn, SignInWays, TokenExchange};

pub(super) async fn login(args: LoginArgs) -> Result<()> {
    let client = Client::anonymous(&args.server)?;
    let issued = match (&args.user, &args.id_token_env) {
        (Some(name), _) => {
            let password = password::read(&format!("Password of {name}"))?;
            let asked = PasswordSignIn { name: name.clone(), password };
            client.post::<IssuedToken>("/token", &asked).await?
        }
        (None, Some(variable)) => {
            let token = std::env::var(variable);
            exchange(&client, token.with_context(|| format!("there is no ID token in {variable}"))?).await?
        }
        (None, None) => {
            let ways: SignInWays = client.get("/sign-in", &[]).await?;
            let Some(way) = ways.oidc else {
                bail!("nobody signs in by OIDC at {}: `--user NAME` is expected", args.server.url);
            };
            exchange(&client, device::sign_in(&way).await?).await?
        }
    };
    keep(&args, issued)
}

async fn exchange(client: &Client, subject_token: String) -> Result<IssuedToken> {
    let subject_token = subject_token.trim().to_owned();
    client.post("/token/exchange", &TokenExchange { subject_token, subject_token_type: None }).await
}

fn keep(args: &LoginArgs, issued: IssuedToken) -> Result<()> {
    let now = Clock::System.now();
    let until = now.plus(std::time::Duration::from_secs(issued.expires_in));
    let (holder, role) = (issued.holder.clone(), issued.role);
    let credential = credentials::Credential { token: issued.access_token, holder: issued.holder, until };
    credentials::keep(&args.server.url, credential)?;
    println!("signed in at {} as {holder}, with the role {role}, until {until}", args.server.url);
    Ok(())
}

pub(super) async fn logout(args: LogoutArgs) -> Result<()> {
    let Some(credential) = credentials::find(&args.server.url)? else {
        println!("nobody is signed in at {}", args.server.url);
        return Ok(());
    };
    let ended = Client::with_token(&args.server, credential.token)?.post_only("/me/sign-out", &()).await;
    credentials::forget(&args.server.url)?;
    // A token that is over already is what was wanted; of another failure one should know that the token is still good.
    let over = |error: &anyhow::Error| {
        error.downcast_ref::<super::client::Refused>().is_some_and(|refused| refused.0.status == 401)
    };
    match ended {
        Err(error) if !over(&error) => Err(error).with_context(|| {
            format!("the token is forgotten here, and good until {} where it was copied to", credential.until)
        }),
        _ => {
            println!("signed out at {}", args.server.url);
            Ok(())
        }
    }
}

pub(super) async fn whoami(args: WhoamiArgs) -> Result<()> {
    let me: Me = Client::new(&args.server)?.get("/me", &[]).await?;
    match args.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&me)?),
        Output::Yaml => print!("{}", serde_saphyr::to_string(&me)?),
        Output::Table => {
            let until = me.until.map_or_else(String::new, |until| format!(", until {until}"));
            println!("{}: {} of {}{until}", me.name, me.role, me.scope);
        }
    }
    Ok(())
}
