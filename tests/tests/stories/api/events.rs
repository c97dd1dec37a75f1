//! What happened, as a list and as a stream.

use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_types::api::{Event, List};
use reqwest::Method;
use serde_json::json;

use super::Begin;
use crate::rig::{machine, refused, subnet};

const SOON: Duration = Duration::from_secs(10);

pub async fn a_follower_that_comes_back_misses_nothing_and_gets_nothing_twice(begin: Begin) -> Result<()> {
    const MACHINES: usize = 300;
    let mut rig = begin.with(|builder| builder.set("guard.machines", MACHINES)).start().await?;
    rig.admin.apply(&[subnet("first", "10.77.0", "ignore")]).await?;
    let before = rig.admin.events(0).await?.last().map_or(0, |event| event.seq);
    let mut live = rig.admin.follow(None).await?;
    let admin = rig.admin.clone();
    let mut writers = tokio::task::JoinSet::new();
    writers.spawn(async move {
        for number in 0..MACHINES {
            let mac = format!("02:00:00:00:{:02x}:{:02x}", number / 256, number % 256);
            admin.apply(&[machine(&format!("n{number}"), &mac)]).await?;
        }
        anyhow::Ok(())
    });
    let (id, first) = live.next(SOON).await?.context("the stream ended")?;
    assert!(id > before, "without a place to begin at, a stream begins now");
    assert_eq!(id, first.seq);
    drop(live);

    let mut seen: Vec<Event> = Vec::new();
    let mut last = before;
    while seen.len() < MACHINES {
        // A client that loses its connection every few events.
        let mut stream = rig.admin.follow(Some(last)).await?;
        for _ in 0..37 {
            let Some((id, event)) = stream.next(SOON).await? else { break };
            assert_eq!(id, event.seq);
            last = id;
            seen.push(event);
            if seen.len() == MACHINES {
                break;
            }
        }
        if (100..140).contains(&seen.len()) {
            // The daemon's own connections to its writers break, too: they have been answered.
            tokio::task::yield_now().await;
        }
    }
    writers.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(seen, rig.admin.events(before).await?, "the stream is the list");

    // Over a restart, a follower goes on as well.
    let (middle, rest) = (seen[MACHINES / 2].seq, &seen[MACHINES / 2 + 1..]);
    rig.daemon.restart().await?;
    let mut stream = rig.admin.follow(Some(middle)).await?;
    for expected in rest {
        let (_, event) = stream.next(SOON).await?.context("the stream ended")?;
        assert_eq!(event, *expected);
    }
    rig.admin.apply(&[subnet("second", "10.78.0", "ignore")]).await?;
    let (_, event) = stream.next(SOON).await?.context("the stream ended")?;
    assert_eq!((event.kind.as_str(), event.object.as_str()), ("resource.changed", "subnet/second"));

    // Followers do not hold the daemon up when it is told to stop.
    let begun = std::time::Instant::now();
    assert_eq!(rig.daemon.stop().await?.code(), Some(0));
    assert!(begun.elapsed() < SOON, "the end took {:?}", begun.elapsed());
    assert_eq!(stream.next(SOON).await?, None, "the stream ends with the daemon");
    Ok(())
}

pub async fn the_list_of_events_is_complete_and_in_order(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    for third in 0..30 {
        rig.admin.apply(&[subnet(&format!("s{third}"), &format!("10.{third}.0"), "ignore")]).await?;
    }
    rig.admin.delete("/subnets/s7", None).await?;
    let all = rig.admin.events(0).await?;
    assert!(all.windows(2).all(|pair| pair[0].seq < pair[1].seq && pair[0].at <= pair[1].at));
    assert_eq!(all.iter().filter(|event| event.kind == "resource.changed").count(), 30);
    assert!(all.iter().all(|event| event.actor == "admin" || event.actor == "pilotlight"), "{all:?}");

    let mut paged: Vec<Event> = Vec::new();
    let mut after = 0;
    loop {
        let page: List<Event> = rig.admin.get(&format!("/events?after={after}&limit=7")).await?;
        paged.extend(page.items);
        match page.next {
            Some(next) => after = next.parse()?,
            None => break,
        }
    }
    assert_eq!(paged, all);
    let one: List<Event> = rig.admin.get("/events?object=subnet/s7&after=0").await?;
    let kinds: Vec<&str> = one.items.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["resource.changed", "resource.deleted"]);
    let newest: List<Event> = rig.admin.get("/events?limit=1").await?;
    assert_eq!(newest.items.as_slice(), &all[all.len() - 1..]);
    let printed = rig.cli_ok(&["events", "--object", "subnet/s7"])?;
    assert!(printed.contains("Subnet s7 was deleted"), "{printed}");
    assert_eq!(refused(rig.admin.get::<serde_json::Value>("/events?after=soon").await).status, 400);
    let written = rig.admin.request(Method::POST, "/api/v1/events", &[], Some(&json!({}))).await?;
    assert_eq!(written.status, 405, "nobody writes what happened");
    Ok(())
}
