//! From events to deliveries: what one webhook is told of a page of events.
use super::{Inner, object};
use crate::{
    domain::{
        selector::Selector,
        webhook::{body, takes},
    },
    service::scopes::Scopes,
    store::NewDelivery,
};
use pilotlight_types::{
    Timestamp,
    api::Event,
    resource::{Name, WebhookSpec},
};

/// What a webhook is told of these events. Labels are those that objects have now.
pub(super) fn found(
    inner: &Inner,
    name: &Name,
    spec: &WebhookSpec,
    events: &[Event],
    now: Timestamp,
) -> Vec<NewDelivery> {
    // A selector that cannot be read was refused when the webhook was declared.
    let Ok(selector) = spec.selector.parse::<Selector>() else { return Vec::new() };
    let scopes = Scopes::new(inner.roster.clone());
    let own = object(name);
    let expires = now.plus(inner.settings.manner.give_up);
    let told = events.iter().filter(|event| {
        // What becomes of a webhook is no news to itself: it would never end.
        let echo = event.object == own && event.kind.starts_with("webhook.");
        !echo && takes(&spec.events, &event.kind) && scopes.selects(&selector, &event.object)
    });
    told.map(|event| NewDelivery {
        webhook: name.to_string(),
        seq: event.seq,
        id: event.id,
        event: event.kind.clone(),
        object: event.object.clone(),
        body: body(&inner.settings.site, event),
        created: now.micros(),
        expires: expires.micros(),
    })
    .collect()
}
