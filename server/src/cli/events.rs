//! `events`.
use super::{EventsArgs, Output, client::Client};
use crate::domain::diff::plain;
use anyhow::Result;
use futures_util::StreamExt;
use pilotlight_types::api::{Event, List};
use std::time::Duration;

/// After the stream broke off.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn run(args: EventsArgs) -> Result<()> {
    let client = Client::new(&args.server)?;
    let filters = [("object", args.object.clone()), ("selector", args.selector.clone())];
    let object: Vec<(&str, String)> =
        filters.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let mut last = args.after;
    loop {
        let mut query = object.clone();
        query.extend(last.map(|after| ("after", after.to_string())));
        let mut page: List<Event> = client.get("/events", &query).await?;
        if last.is_none() {
            // Without a place to begin at they come newest first, and one page of them is enough.
            page.items.reverse();
        }
        for event in &page.items {
            print(args.output, event)?;
            last = Some(event.seq);
        }
        if page.next.is_none() {
            break;
        }
    }
    if args.follow { follow_for_ever(&client, &object, last, args.output).await } else { Ok(()) }
}

/// The stream ends when the server stops: then it is asked again, and goes on where it was.
async fn follow_for_ever(
    client: &Client,
    query: &[(&str, String)],
    mut last: Option<i64>,
    output: Output,
) -> Result<()> {
    loop {
        match follow(client, query, &mut last, output).await {
            Ok(()) => {}
            Err(error) if last.is_none() => return Err(error),
            Err(error) => eprintln!("{error}; trying again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(
    client: &Client,
    query: &[(&str, String)],
    last: &mut Option<i64>,
    output: Output,
) -> Result<()> {
    let mut pieces = client.stream(query, *last).await?.bytes_stream();
    let mut text = String::new();
    let mut rest = Vec::new();
    while let Some(piece) = pieces.next().await {
        rest.extend_from_slice(&piece?);
        // Only whole characters are taken over.
        let whole = std::str::from_utf8(&rest).map_or_else(|e| e.valid_up_to(), str::len);
        text.push_str(&String::from_utf8_lossy(rest.get(..whole).unwrap_or_default()));
        rest.drain(..whole);
        while let Some((block, after)) = text.split_once("\n\n") {
            let data: String =
                block.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect();
            if let Ok(event) = serde_json::from_str::<Event>(&data) {
                print(output, &event)?;
                *last = Some(event.seq);
            }
            text = after.to_owned();
        }
    }
    Ok(())
}

fn print(output: Output, event: &Event) -> Result<()> {
    match output {
        Output::Table => {
            println!("{}  {:<22} {}  ({})", event.at, event.kind, plain(&event.message), event.actor);
        }
        Output::Json => println!("{}", serde_json::to_string(event)?),
        Output::Yaml => println!("---\n{}", serde_saphyr::to_string(event)?.trim_end()),
    }
    Ok(())
}
