//! `audit list`, `audit export`, `audit verify`.
use super::{AuditCommand, Output, client::Client, table};
use anyhow::{Result, bail};
use pilotlight_types::api::{AuditCheck, AuditEntry, List};

pub(super) async fn run(command: AuditCommand) -> Result<()> {
    match command {
        AuditCommand::List { actor, object, since, until, limit, output, server } => {
            let mut query: Vec<(&str, String)> =
                [("actor", actor), ("object", object), ("since", since), ("until", until)]
                    .into_iter()
                    .filter_map(|(key, value)| Some((key, value?)))
                    .collect();
            query.push(("limit", limit.to_string()));
            let page: List<AuditEntry> = Client::new(&server)?.get("/audit", &query).await?;
            match output {
                Output::Table => print(&page.items),
                Output::Json => println!("{}", serde_json::to_string_pretty(&page.items)?),
                Output::Yaml => print!("{}", serde_saphyr::to_string(&page.items)?),
            }
        }
        AuditCommand::Export { after, server } => {
            let client = Client::new(&server)?;
            let mut last = after;
            loop {
                let page: List<AuditEntry> = client.get("/audit", &[("after", last.to_string())]).await?;
                for entry in &page.items {
                    println!("{}", serde_json::to_string(entry)?);
                    last = entry.seq;
                }
                if page.next.is_none() {
                    break;
                }
            }
        }
        AuditCommand::Verify { head, server } => {
            let check: AuditCheck = Client::new(&server)?.get("/audit/verify", &[]).await?;
            if check.older > 0 {
                eprintln!("{} rows are older than the hashes: nothing can be said of them", check.older);
            }
            match &check.broken {
                Some(broken) => {
                    let at =
                        broken.seq.map_or_else(|| "at its end".to_owned(), |seq| format!("at row {seq}"));
                    bail!("the audit log is broken {at}: {}", broken.why)
                }
                None => {
                    println!("{} rows are as they were written; the last hash is {}", check.rows, check.head)
                }
            }
            if head.as_deref().is_some_and(|head| head != check.head) {
                bail!(
                    "that is not the hash that was expected: rows were added since, or the log was written anew"
                );
            }
        }
    }
    Ok(())
}

fn print(entries: &[AuditEntry]) {
    let row = |entry: &AuditEntry| {
        let AuditEntry { seq, at, actor, remote, action, object, request, .. } = entry.clone();
        [
            seq.to_string(),
            at.to_string(),
            actor,
            remote.unwrap_or_default(),
            action,
            object,
            request.unwrap_or_default(),
        ]
    };
    table::print(
        ["ROW", "AT", "WHO", "FROM", "DID", "TO", "REQUEST"],
        &entries.iter().map(row).collect::<Vec<_>>(),
    );
}
