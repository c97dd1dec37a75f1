//! A daemon on a wire of its own, and what the stories on it ask.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use pilotlight_tests::daemon::Builder;
use pilotlight_tests::rack::Namespace;
use serde_json::Value;

use crate::dhcp::{Client, DISCOVER};
use crate::rig::{Plan, Rig};

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// A daemon on a network of its own; the daemon goes first.
pub struct Net {
    pub rig: Rig,
    pub rack: Namespace,
}

impl Net {
    pub async fn start(name: &str, documents: &[Value]) -> Result<Self> {
        Self::start_with(name, documents, |builder| builder).await
    }

    pub async fn start_with(
        name: &str,
        documents: &[Value],
        change: impl FnOnce(Builder) -> Builder,
    ) -> Result<Self> {
        let rack = Namespace::create(name, Some(format!("{SERVER}/24").parse()?))?;
        Self::start_in(rack, documents, change).await
    }

    /// On a network where somebody is already.
    pub async fn start_in(
        rack: Namespace,
        documents: &[Value],
        change: impl FnOnce(Builder) -> Builder,
    ) -> Result<Self> {
        let rig = Plan::new()?.with(|builder| change(builder.inside(&rack, SERVER))).start().await?;
        rig.admin.apply(documents).await?;
        Ok(Self { rig, rack })
    }

    /// One of the daemon's counters.
    pub async fn counted(&self, metric: &str) -> Result<u64> {
        let text = self.rig.admin.request(reqwest::Method::GET, "/metrics", &[], None).await?.text();
        let value = text.lines().find_map(|line| line.strip_prefix(metric));
        value.map_or(Ok(0), |value| Ok(value.trim().parse()?))
    }

    /// Waits until a counter says so: the last packet of a conversation has no answer that could be waited for.
    pub async fn counts(&self, metric: &str, expected: u64) -> Result<()> {
        let mut counted = 0;
        for _ in 0..100 {
            counted = self.counted(metric).await?;
            if counted == expected {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("{metric} is {counted}, and not {expected}")
    }

    /// Asks a question that must stay without an answer: the daemon says that it was silent, and why.
    pub async fn silence(&self, client: &mut Client, options: &[(u8, &[u8])], why: &str) -> Result<()> {
        let counter = format!("outcome=\"silent\",reason=\"{why}\"");
        self.taken(client, DISCOVER, NONE, options, &counter).await
    }

    /// Sends what has no answer, and returns when the daemon has counted it.
    pub async fn taken(
        &self,
        client: &mut Client,
        kind: u8,
        ciaddr: Ipv4Addr,
        options: &[(u8, &[u8])],
        counter: &str,
    ) -> Result<()> {
        let metric = format!("pilotlight_dhcp_packets_total{{{counter}}}");
        let before = self.counted(&metric).await?;
        client.send(kind, ciaddr, options)?;
        for _ in 0..50 {
            assert_eq!(client.answer(Duration::from_millis(100))?, None, "nobody should answer");
            if self.counted(&metric).await? > before {
                return Ok(());
            }
        }
        let metrics = self.rig.admin.request(reqwest::Method::GET, "/metrics", &[], None).await?.text();
        anyhow::bail!("the daemon did not count {counter}: {metrics}")
    }
}
