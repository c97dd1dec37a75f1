//! `get` of several kinds: everything that is declared, as the files that `apply` takes.
use super::{Output, client::Client};
use crate::domain::yaml;
use anyhow::{Result, bail};
use pilotlight_types::{
    api::{Machine, Resource},
    resource::Kind,
};
use serde_json::{Value, json};

/// The kinds that a word names: one, several with commas between them, or `all`. Each comes once, and those that others refer to
/// come first.
pub(super) fn kinds(text: &str) -> Result<Vec<Kind>> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(Kind::ALL.to_vec());
    }
    let named: Vec<Kind> = text.split(',').map(|kind| kind.trim().parse()).collect::<Result<_, _>>()?;
    Ok(Kind::ALL.into_iter().filter(|kind| named.contains(kind)).collect())
}

/// Prints what is declared of these kinds: in the order of the kinds, then of the names.
pub(super) async fn run(
    client: &Client,
    kinds: &[Kind],
    query: &[(&str, String)],
    output: Output,
) -> Result<()> {
    if output == Output::Table {
        bail!("several kinds have no table in common: say -o yaml, or -o json");
    }
    let mut documents = Vec::new();
    for kind in kinds {
        let path = format!("/{}", kind.plural());
        if *kind == Kind::Machine {
            let all: Vec<Machine> = client.list(&path, query).await?;
            let (seen, accepted): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|machine| machine.stage == "discovered");
            if !seen.is_empty() {
                // Applied, they would be accepted.
                eprintln!("{} machines are left out that nobody accepted", seen.len());
            }
            for machine in &accepted {
                documents.push(declared(&serde_json::to_value(machine)?));
            }
        } else {
            let all: Vec<Resource> = client.list(&path, query).await?;
            // What is shipped has no revision: nobody declared it.
            for resource in all.iter().filter(|resource| resource.revision > 0) {
                documents.push(declared(&serde_json::to_value(resource)?));
            }
        }
    }
    match output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&documents)?),
        _ => documents.iter().for_each(|document| print!("---\n{}", yaml::write_exactly(document))),
    }
    Ok(())
}

/// A resource as `apply` takes it: what the server adds is left out. Anything else as it is.
pub(super) fn declared(item: &Value) -> Value {
    let (Some(kind), Some(spec)) = (item.get("kind"), item.get("spec")) else { return item.clone() };
    match item.get("labels").filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty())) {
        Some(labels) => json!({"kind": kind, "name": item.get("name"), "labels": labels, "spec": spec}),
        None => json!({"kind": kind, "name": item.get("name"), "spec": spec}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_in_any_order_and_come_in_theirs() {
        assert_eq!(kinds("all").unwrap().len(), Kind::ALL.len());
        assert_eq!(kinds("machines, subnet,Machine").unwrap(), [Kind::Subnet, Kind::Machine]);
        assert_eq!(kinds("group").unwrap(), [Kind::Group]);
        assert!(kinds("groups,").is_err() && kinds("boots,groups").is_err());
    }
}
