//! docs/stages.md and docs/stages.svg are made of the table that the code goes by. `UPDATE=1 cargo test -p pilotlight --test it stages`
//! writes them.
use pilotlight::domain::stage::table::{ALL, Asks, Next, Row};
use std::{fmt::Write as _, path::Path, time::Duration};

#[test]
fn the_stages_are_documented_as_they_are() {
    for (name, made) in [("stages.md", page()), ("stages.svg", drawing())] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            made == kept,
            "docs/{name} is not as the table has it; write it: UPDATE=1 cargo test -p pilotlight --test it stages"
        );
    }
}

fn page() -> String {
    let mut page = "# Stages\n\n\
        Where a machine is in its life. This page and its picture are made of [the table](../server/src/domain/stage/table.rs) that the\n\
        daemon goes by; a test keeps them so. What a stage does not take is refused (409, `refused`), and nothing is changed.\n\n\
        ![The stages, and what leads from one to another](stages.svg)\n\n\
        ## What each means, and how a machine gets on\n\n\
        | stage | meaning | overdue after | what is tried | an operator can always |\n|---|---|---|---|---|\n"
        .to_owned();
    for row in ALL {
        let exits: Vec<&str> = row.exits.iter().map(|exit| exit.name()).collect();
        let (stage, means, tried) = (row.stage, row.means, row.tried);
        let deadline = row.deadline.map_or("-".to_owned(), hours);
        writeln!(page, "| {stage} | {means} | {deadline} | {tried} | {} |", exits.join(", ")).unwrap();
    }
    page.push_str(
        "\nA machine that is overdue is where it was: it is counted in `pilotlight_machines_overdue`, and its JSON has the time in\n\
         `deadline`. A boot has a deadline of its own, [`boot.patience`](configuration.md). A [hold](discovery.md#holds) is apart from the stage: a machine on hold\n\
         waits when it boots, wherever it is in its life.\n\n\
         ## What leads where\n\n",
    );
    let columns: Vec<&str> = Asks::ALL.iter().map(|event| event.name()).collect();
    writeln!(page, "| | {} |\n|---{}|", columns.join(" | "), "|---".repeat(columns.len())).unwrap();
    for row in ALL {
        let cells: Vec<&str> = Asks::ALL.iter().map(|event| cell(row.on(*event))).collect();
        writeln!(page, "| **{}** | {} |", row.stage, cells.join(" | ")).unwrap();
    }
    page
}

fn hours(time: Duration) -> String {
    format!("{} h", time.as_secs() / 3600)
}

const fn cell(next: Next) -> &'static str {
    match next {
        Next::Refused => "-",
        Next::Stays => "stays",
        Next::Ready => "ready",
        Next::Armed => "provisioning, armed for what is asked",
        Next::Again => "provisioning, armed for what it was",
        Next::Active => "active, if it is what it was armed for",
        Next::Failed => "failed",
        Next::Retired => "retired",
    }
}

const WIDE: i32 = 130;
const HIGH: i32 = 46;

fn drawing() -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1000 470\" role=\"img\" aria-label=\"Stages of a machine\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n\
         <rect width=\"1000\" height=\"470\" fill=\"#fff\"/>\n",
    );
    for from in ALL {
        for to in ALL.iter().filter(|to| to.stage != from.stage) {
            let leads = |event: &&Asks| from.on(**event).stage() == Some(to.stage);
            let events: Vec<&str> = Asks::ALL.iter().filter(leads).map(|event| event.name()).collect();
            if !events.is_empty() {
                svg.push_str(&arrow(from, to, &events.join(", ")));
            }
        }
    }
    for row in ALL {
        let (x, y) = place(row);
        let deadline =
            row.deadline.map_or("no deadline".to_owned(), |time| format!("deadline {}", hours(time)));
        writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{WIDE}\" height=\"{HIGH}\" rx=\"8\" fill=\"#eef3fa\" stroke=\"#36506e\"/>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\" fill=\"#17293f\">{}</text>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\" fill=\"#444\">{deadline}</text>",
            x - WIDE / 2,
            y - HIGH / 2,
            y - 3,
            row.stage,
            y + 14
        )
        .unwrap();
    }
    svg.push_str("</svg>\n");
    svg
}

/// The middle of a stage's box.
fn place(row: &Row) -> (i32, i32) {
    match row.stage {
        "discovered" => (90, 60),
        "ready" => (350, 60),
        "provisioning" => (610, 60),
        "active" => (900, 60),
        "failed" => (760, 240),
        "retired" => (350, 410),
        new => panic!("say where the picture has {new}"),
    }
}

/// An arrow between two boxes, bent to its left so that the one that comes back is beside it, with what it stands for.
fn arrow(from: &Row, to: &Row, label: &str) -> String {
    let ((x1, y1), (x2, y2)) = (place(from), place(to));
    let length = f64::from((x2 - x1).pow(2) + (y2 - y1).pow(2)).sqrt();
    let (across, down) = (f64::from(x2 - x1) / length, f64::from(y2 - y1) / length);
    // The long way from active goes round the box of failed.
    let bend = if (from.stage, to.stage) == ("active", "retired") { 170.0 } else { 26.0 };
    let middle = |share: f64| {
        let along = (f64::from(x1) + share * f64::from(x2 - x1), f64::from(y1) + share * f64::from(y2 - y1));
        let out = 4.0 * share * (1.0 - share) * bend;
        (along.0 + down * out, along.1 - across * out)
    };
    // It begins and ends where the curve leaves the boxes.
    let inside = |(x, y): (f64, f64), row: &Row| {
        let (cx, cy) = place(row);
        (x - f64::from(cx)).abs() < f64::from(WIDE / 2 + 2)
            && (y - f64::from(cy)).abs() < f64::from(HIGH / 2 + 2)
    };
    let on_curve: Vec<(f64, f64)> = (0..=60).map(|step| middle(f64::from(step) / 60.0)).collect();
    let points: Vec<String> = on_curve
        .into_iter()
        .filter(|point| !inside(*point, from) && !inside(*point, to))
        .map(|(x, y)| format!("{x:.0},{y:.0}"))
        .collect();
    let (x, y) = middle(if to.stage == "retired" { 0.35 } else { 0.5 });
    let y = if down.abs() < 0.3 { y - across * 14.0 - 2.0 } else { y };
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#555\" stroke-width=\"1.3\" marker-end=\"url(#end)\"/>\
         <text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"middle\" fill=\"#222\" stroke=\"#fff\" stroke-width=\"4\" paint-order=\"stroke\">{label}</text>\n",
        points.join(" ")
    )
}
