//! The status page: what one looks at when nothing else works. No script, one page, made on the server.
use super::{
    auth::Caller,
    problem::Failure,
    routes::{Operation, Permission, Routes},
};
use crate::service::{
    callers::{Credential, SignedIn},
    history::History,
    journal::Journal,
    pacing::{Paced, Pacing},
    scopes::Scopes,
    sightings::Sightings,
    views::Views,
};
use axum::{
    Extension,
    extract::State,
    http::header,
    response::{Html, IntoResponse, Response},
};
use pilotlight_types::{
    Timestamp,
    api::{Event, Machine, Phase},
    resource::{Kind, RuleKind, Verb},
};
use std::fmt::Write;

/// What the status page needs.
#[derive(Debug, Clone)]
pub struct StatusPage {
    /// Machines.
    pub views: Views,
    /// The time.
    pub journal: Journal,
    /// Events.
    pub history: History,
    /// What may be seen.
    pub scopes: Scopes,
    /// Who loads, and who waits.
    pub pacing: Pacing,
    /// Other DHCP servers.
    pub sightings: Sightings,
    /// The site's name.
    pub site: String,
}

/// How many machines the page shows; the API has the rest.
const MOST_MACHINES: usize = 500;

/// How many events the page shows.
const MOST_EVENTS: i64 = 40;

const STYLE: &str = include_str!("status.css");

pub(super) fn routes() -> Routes<StatusPage> {
    Routes::under("").on(
        Operation::get("/status")
            .called("showStatus", "The status page, for people")
            .takes_right(Permission::On(Verb::Get, RuleKind::Site)),
        status,
    )
}

async fn status(
    State(page): State<StatusPage>,
    Extension(who): Extension<SignedIn>,
    Caller(actor): Caller,
) -> Result<Response, Failure> {
    let now = page.journal.now();
    let seen = actor.rights.taken(Verb::Get, RuleKind::Resource(Kind::Machine));
    let machines = page.views.machines(&seen, None, MOST_MACHINES);
    let mut events = page.history.newest(None, MOST_EVENTS).await?;
    events.retain(|event| page.scopes.shows(&actor.rights, event));
    let paced = page.pacing.shown(now);
    let odd = odd(now, &page.sightings, &machines);
    let html =
        render((&page.site, &who_line(&who)), now, &page.views.stages(), &paced, &odd, &machines, &events);
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, Html(html)).into_response())
}

fn render(
    (site, who): (&str, &str),
    now: Timestamp,
    stages: &[(&str, usize)],
    paced: &[Paced],
    odd: &[String],
    machines: &[Machine],
    events: &[Event],
) -> String {
    let mut html = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        html,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Pilotlight: {site}</title>\
         <style>{STYLE}</style></head><body><header><h1>Pilotlight</h1><p>site {site} · {now}</p>{who}</header><main>",
        site = escaped(site)
    );
    html.push_str("<section aria-label=\"Stages\"><ul class=\"stages\">");
    for (stage, count) in stages {
        let _ = write!(html, "<li class=\"{stage}\"><b>{count}</b> {stage}</li>");
    }
    html.push_str("</ul></section>");
    if !odd.is_empty() {
        html.push_str("<section><h2>To look at</h2><ul>");
        for line in odd {
            let _ = write!(html, "<li>{}</li>", escaped(line));
        }
        html.push_str("</ul></section>");
    }
    pacing(&mut html, paced);
    html.push_str("<section><h2>Machines</h2>");
    if machines.is_empty() {
        html.push_str("<p class=\"empty\">There are no machines yet. Declare some with <code>pilotlight apply -f machines.yaml</code>, or power one on where a subnet says <code>unknown: discover</code>.</p>");
    } else {
        html.push_str("<div class=\"scroll\"><table><thead><tr><th>Machine<th>Stage<th>Boot<th>Address<th>Profile<th>Since<th>Agent heard</tr></thead><tbody>");
        for machine in machines {
            machine_row(&mut html, now, machine);
        }
        html.push_str("</tbody></table></div>");
    }
    html.push_str("</section><section><h2>Last events</h2>");
    if events.is_empty() {
        html.push_str("<p class=\"empty\">Nothing has happened yet.</p>");
    } else {
        html.push_str("<div class=\"scroll\"><table class=\"events\"><thead><tr><th>Time<th>Event<th>What happened<th>By</tr></thead><tbody>");
        for event in events {
            let _ = write!(
                html,
                "<tr><td><time title=\"{}\">{} ago</time><td>{}<td>{}<td>{}</tr>",
                event.at,
                ago(now, event.at),
                escaped(&event.kind),
                escaped(&event.message),
                escaped(&event.actor)
            );
        }
        html.push_str("</tbody></table></div>");
    }
    html.push_str("</section></main></body></html>");
    html
}

/// Who looks, and how they stop: a browser's session can be ended.
fn who_line(who: &SignedIn) -> String {
    let name = escaped(&who.bearer.name);
    match who.by {
        Credential::Token(_) => format!("<p class=\"who\">{name}</p>"),
        Credential::Session(_) => format!(
            "<form class=\"who\" method=\"post\" action=\"/sign-out\"><span>{name}</span> <button>Sign out</button></form>"
        ),
    }
}

/// What somebody should look at: other DHCP servers where we are the server, machines that are not who they say.
fn odd(now: Timestamp, sightings: &Sightings, machines: &[Machine]) -> Vec<String> {
    let servers = sightings.foreign().into_iter().map(|(subnet, server, last)| {
        format!(
            "another DHCP server, {server}, gives addresses on subnet {subnet}, which is ours: a client took its offer {} ago",
            ago(now, last)
        )
    });
    let machines = machines.iter().flat_map(|machine| {
        machine.conflicts.iter().map(move |conflict| format!("{}: {conflict}", machine.name))
    });
    servers.chain(machines).collect()
}

/// Who loads and who waits, while there are such.
fn pacing(html: &mut String, paced: &[Paced]) {
    let busy: Vec<_> = paced.iter().filter(|paced| paced.loading + paced.waiting + paced.held > 0).collect();
    if busy.is_empty() {
        return;
    }
    html.push_str("<section><h2>Boots under way</h2><div class=\"scroll\"><table><thead><tr><th>Subnet<th>Loading<th>Waiting for their turn<th>Offers held back<th>Sent<th>Link</tr></thead><tbody>");
    for Paced { subnet, link, most, loading, waiting, held, rate } in busy {
        let most = most.map(|most| format!(" <small>of {most}</small>")).unwrap_or_default();
        let sent = rate / 125_000;
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{subnet}<td>{loading}{most}<td>{waiting}<td>{held}<td>{sent} Mbit/s<td>{link}</tr>"
        );
    }
    html.push_str("</tbody></table></div></section>");
}

fn machine_row(html: &mut String, now: Timestamp, machine: &Machine) {
    let boot = machine.boot.as_ref();
    let doing = match boot {
        None => "—".to_owned(),
        Some(boot) => match &boot.outcome {
            Some(outcome) => escaped(&outcome.to_string()),
            None => {
                boot.furthest().map_or_else(|| "begun".to_owned(), |phase| format!("{phase} {}", bar(phase)))
            }
        },
    };
    let stage = match (&machine.hold, &machine.why) {
        (Some(hold), _) => format!("{}<small>on hold: {}</small>", machine.stage, escaped(&hold.reason)),
        (None, Some(why)) => format!("{}<small>{}</small>", machine.stage, escaped(why)),
        (None, None) => machine.stage.clone(),
    };
    let profile = machine.profile.as_ref().map_or_else(String::new, |profile| {
        let running = profile.running.map_or_else(|| "—".to_owned(), |running| running.to_string());
        format!("{} <small>wanted {}, runs {running}</small>", escaped(&profile.name), profile.desired)
    });
    let address = boot.and_then(|boot| boot.address).map(|address| address.to_string()).unwrap_or_default();
    let seen = machine.seen.map_or_else(|| "never".to_owned(), |seen| format!("{} ago", ago(now, seen)));
    let _ = write!(
        html,
        "<tr><th scope=\"row\">{}<td class=\"{}\">{stage}<td>{doing}<td>{address}<td>{profile}<td><time title=\"{}\">{}</time><td>{seen}</tr>",
        escaped(&machine.name),
        machine.stage,
        machine.since,
        ago(now, machine.since),
    );
}

/// How far a boot is, as a bar that needs no script.
fn bar(phase: Phase) -> String {
    let reached = Phase::ALL.iter().position(|other| *other == phase).map_or(0, |index| index + 1);
    format!("<meter min=\"0\" max=\"{}\" value=\"{reached}\">{reached}</meter>", Phase::ALL.len())
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    match now.since(then).as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s / 60),
        s @ 3600..86_400 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

/// A text that machines or people wrote, as text.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_says_of_itself_is_shown_as_text() {
        let event = Event {
            seq: 1,
            id: "01940000-0000-7000-8000-000000000000".parse().unwrap(),
            at: Timestamp::default(),
            kind: "machine.discovered".into(),
            object: "machine/n1".into(),
            actor: "machine".into(),
            boot: None,
            message: "<script>alert(1)</script>".into(),
            data: std::collections::BTreeMap::new(),
        };
        let html =
            render(("dc1", ""), Timestamp::default(), &[("ready", 0)], &[], &["a <b>".into()], &[], &[event]);
        assert!(html.contains("<li>a &lt;b&gt;</li>"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)"));
        assert!(!html.contains("<script"));
        assert!(html.contains("There are no machines yet"));
    }

    #[test]
    fn a_storm_is_shown_while_it_lasts() {
        let mut paced = Paced {
            subnet: "rack-a".parse().unwrap(),
            link: "1Gbit".parse().unwrap(),
            most: Some(8),
            loading: 8,
            waiting: 442,
            held: 0,
            rate: 117_000_000,
        };
        let html =
            render(("dc1", ""), Timestamp::default(), &[], std::slice::from_ref(&paced), &[], &[], &[]);
        let row = "rack-a<td>8 <small>of 8</small><td>442<td>0<td>936 Mbit/s<td>1Gbit</tr>";
        assert!(html.contains(row), "{html}");
        (paced.loading, paced.waiting) = (0, 0);
        assert!(
            !render(("dc1", ""), Timestamp::default(), &[], &[paced], &[], &[], &[])
                .contains("Boots under way")
        );
    }
}
