//! What a diagnosis was told by, for people, and where the API has more of it.
use super::{Case, Segment};
use pilotlight_types::api::Evidence;

/// How many of a machine's last lines are quoted, and how much of each.
const QUOTED: (usize, usize) = (3, 160);

pub(super) fn of(case: &Case<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    let mut tell = |seen: String, link: Option<String>| all.push(Evidence { seen, link });
    if let Some(boot) = case.boot {
        let link = format!("/api/v1/boots/{}", boot.id);
        let last = boot.furthest().and_then(|phase| boot.phase(phase));
        if let Some(last) = last {
            let whole = if last.ended.is_some() { "done" } else { "not done" };
            let detail = last.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            let asked = match last.requests {
                1 => "asked once".to_owned(),
                many => format!("asked {many} times"),
            };
            let at = last.last;
            tell(
                format!("last seen: {}{detail}, {asked}, {} bytes, {whole}, at {at}", last.phase, last.bytes),
                Some(link.clone()),
            );
        }
        let said = case.console.iter().rev().take(QUOTED.0).rev();
        for line in said {
            let text: String = line.to_string().chars().take(QUOTED.1).collect();
            tell(format!("it said: {text}"), Some(format!("{link}/console")));
        }
    }
    let bmc = Some(format!("/api/v1/machines/{}/bmc", case.machine));
    if let Some(why) = case.power_failed {
        tell(format!("its BMC: {why}"), bmc.clone());
    }
    if let Some(on) = case.on {
        tell(format!("its BMC says that it is {}", if on { "on" } else { "off" }), bmc.clone());
    }
    if let Some(device) = case.forgot {
        tell(format!("its BMC did not keep `{device}` as the next boot device"), bmc);
    }
    if let Some(segment) = &case.segment {
        beside(segment, &mut tell);
    }
    if let Some(bytes) = case.memory {
        let gib = bytes as f64 / f64::from(1 << 30);
        tell(format!("its memory is {gib:.1} GiB"), Some(format!("/api/v1/machines/{}", case.machine)));
    }
    all
}

fn beside(segment: &Segment<'_>, tell: &mut impl FnMut(String, Option<String>)) {
    let Segment { name, tried, further, silent, foreign, .. } = segment;
    let link = format!("/api/v1/subnets/{name}");
    if let Some(server) = foreign {
        tell(
            format!("another DHCP server, {server}, gives addresses in {name}"),
            Some("/api/v1/network".into()),
        );
    }
    let others = match tried {
        0 => format!("no other machine booted in {name} in the last hour"),
        1 => format!("one other machine booted in {name} in the last hour, and came {}", far(*further > 0)),
        many => format!(
            "{many} other machines booted in {name} in the last hour; {further} came further than this one"
        ),
    };
    tell(others, Some(link.clone()));
    if *silent > 0 {
        tell(format!("{silent} others of {name} were switched on, and no packet came of them"), Some(link));
    }
}

const fn far(further: bool) -> &'static str {
    if further { "further than this one" } else { "no further" }
}
