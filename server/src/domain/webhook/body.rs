//! What a webhook is sent: the event as CloudEvents 1.0 has it, in JSON (cloudevents.io, "JSON Event Format" section 3).
use pilotlight_types::api::Event;
use serde_json::json;

/// The kind of the event that is sent to try a webhook. It is not stored.
pub const TEST: &str = "webhook.test";

/// The text of an event, from the daemon of this site. It is the same however often it is made: who signs it, signs the same.
///
/// `text` is an extension attribute: what chats show of a JSON body.
pub fn body(site: &str, event: &Event) -> String {
    json!({
        "specversion": "1.0",
        "id": event.id,
        "source": format!("/pilotlight/{site}"),
        "type": event.kind,
        "subject": event.object,
        "time": event.at,
        "datacontenttype": "application/json",
        "text": format!("{}: {}", event.object, event.message),
        "data": event,
    })
    .to_string()
}
