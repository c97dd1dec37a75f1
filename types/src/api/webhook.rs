//! What became of what webhooks were to be told: `/api/v1/webhooks/{name}/…`.
use crate::{EventId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is to be sent, for the first time or again.
    Pending,
    /// The receiver took it: it answered 2xx.
    Delivered,
    /// It was given up. It can be replayed.
    Dead,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeliveryState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| "pending, delivered or dead is expected".to_owned())
    }
}

/// One try to tell a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub millis: u64,
    /// The status that the receiver answered with, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Up to 1 KiB of the receiver's answer, with the webhook's secrets masked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
}

/// An event that a webhook is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// The event's id: the header `webhook-id` of each try.
    pub id: EventId,
    /// The event's place in the order of all events.
    pub seq: i64,
    /// What happened: `boot.failed`.
    pub event: String,
    /// To what: `machine/n1`.
    pub object: String,
    /// Where it is.
    pub state: DeliveryState,
    /// When it was found to be due.
    pub created: Timestamp,
    /// When it is tried next, if it is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When it was delivered or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Timestamp>,
    /// How often it was tried, since it was replayed if it was.
    pub tries: u32,
    /// The last tries, up to 10, oldest first.
    pub attempts: Vec<Attempt>,
}

/// `GET /api/v1/webhooks/{name}/status`: how a webhook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookStatus {
    /// The webhook.
    pub name: String,
    /// Why nothing is sent, if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Deliveries that are to be sent.
    pub pending: u64,
    /// Deliveries that the receiver took, and that are still listed.
    pub delivered: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// Since when the oldest one waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_pending: Option<Timestamp>,
    /// The last event that was looked at for this webhook.
    pub seen: i64,
}

/// `POST /api/v1/webhooks/{name}/replay`: how many deliveries are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    /// That many.
    pub replayed: u64,
}
